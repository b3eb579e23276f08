//! Minutes at four fifths of what the service stands, signing and verifying in turns: whether it leaks.

use std::time::Duration;

use tokio::{task, time};

use crate::{
    figures::{Counts, Latencies, mib, ms},
    open_loop::{Phase, offer},
    request::photograph,
    server::{Program, Setup},
    sustained::sustained,
};

const SHARE: f64 = 0.8;
const MOST: usize = 900;

/// A row for each minute. `rate` is what it stands of both in turns; without, it is measured.
pub async fn table(minutes: u32, rate: Option<f64>) {
    let server = Setup { program: Program::Credlink, key: "rsa-2048" }.start();
    let (image, client, process) = (photograph(), server.client(), server.process());
    let (sign, verify) = (server.sign_request(&image), server.verify_request(&image).await);
    let rate = match rate {
        Some(rate) => rate,
        None => {
            let signs = sustained(&client, &sign, process).await;
            let verifies = sustained(&client, &verify, process).await;
            let (Some(signs), Some(verifies)) = (signs, verifies) else {
                return println!("\nnothing that was tried was stood");
            };
            // One of each takes as long as both together.
            2.0 / (signs.per_second.recip() + verifies.per_second.recip())
        }
    };
    let per_second = SHARE * rate;
    println!("\n{minutes} min at {per_second:.1} per s, half of them signed, half verified");
    let rows = task::spawn_local(async move {
        let mut clock = time::interval(Duration::from_secs(60));
        for minute in 0.. {
            clock.tick().await;
            let usage = process.usage();
            println!(
                "  {minute:>3} min {:>7.1} MiB, {:>4} open files",
                mib(usage.resident),
                usage.open_files
            );
        }
    });
    let time = Duration::from_secs(60) * minutes;
    let outcomes = offer(&client, &[sign, verify], &[Phase { per_second, time }], MOST).await;
    rows.abort();
    drop(client);
    time::sleep(Duration::from_secs(2)).await;
    let (usage, counts, latencies) = (process.usage(), Counts::of(&outcomes), Latencies::of(&outcomes));
    println!(
        "  at the end, nobody connected: {:.1} MiB, {} open files",
        mib(usage.resident),
        usage.open_files
    );
    println!(
        "  answered {}, refused {}, otherwise {}; p50 {:.0} ms, p99 {:.0} ms",
        counts.done,
        counts.refused,
        counts.other,
        ms(latencies.median),
        ms(latencies.p99)
    );
}
