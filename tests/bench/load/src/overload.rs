//! Twice what the service stands, for a minute: who is answered, who is refused, what memory does, and how soon it is
//! as before.

use std::{cell::RefCell, rc::Rc, time::Duration};

use tokio::{task, time};

use crate::{
    figures::{Counts, Latencies, between, mib, ms},
    open_loop::{Outcome, Phase, offer},
    process::{Process, Usage},
    request::{Request, photograph},
    server::{Program, Server, Setup},
    sustained::sustained,
};

const BEFORE: Duration = Duration::from_secs(10);
const OVERLOAD: Duration = Duration::from_secs(60);
const AFTER: Duration = Duration::from_secs(15);

/// Recovery is looked for in steps of this.
const STEP: Duration = Duration::from_millis(500);

/// More connections than the service takes are not needed to overload it.
const MOST: usize = 900;

/// Signing or verifying, at twice `rate`, or at twice what it turns out to stand.
pub async fn table(verifies: bool, rate: Option<f64>) {
    let server = Setup { program: Program::Credlink, key: "rsa-2048" }.start();
    let image = photograph();
    let request = if verifies { server.verify_request(&image).await } else { server.sign_request(&image) };
    let client = server.client();
    println!("\nOverload, {}", request.path);
    let rate = match rate {
        Some(rate) => rate,
        None => match sustained(&client, &request, server.process()).await {
            Some(sustained) => sustained.per_second,
            None => return println!("  nothing that was tried was stood"),
        },
    };
    report(&server, request, rate).await;
}

async fn report(server: &Server, request: Request, rate: f64) {
    let client = server.client();
    let samples = Rc::new(RefCell::new(Vec::new()));
    let sampler = task::spawn_local(sample(server.process(), Rc::clone(&samples)));
    let own = Process::this().usage();
    let phases = [(rate / 2.0, BEFORE), (rate * 2.0, OVERLOAD), (rate / 2.0, AFTER)]
        .map(|(per_second, time)| Phase { per_second, time });
    let outcomes = offer(&client, &[request], &phases, MOST).await;
    sampler.abort();
    let own_cores = Process::this().usage().cores_since(&own);
    let ends = BEFORE + OVERLOAD;
    let before = Latencies::of(between(&outcomes, STEP, BEFORE));
    let overload = between(&outcomes, BEFORE, ends);
    let counts = Counts::of(overload);
    let accepted = Latencies::of(overload);
    let seconds = OVERLOAD.as_secs_f64();
    println!("  sustained {rate:.1} per s; offered {:.1} per s for {seconds} s", 2.0 * rate);
    println!(
        "  answered {} ({:.1} per s), refused {} ({} of them without Retry-After), otherwise {}",
        counts.done,
        counts.done as f64 / seconds,
        counts.refused,
        counts.without_retry_after,
        counts.other
    );
    println!("  accepted: p50 {:.0} ms, p99 {:.0} ms", ms(accepted.median), ms(accepted.p99));
    println!("  at half the rate before: p50 {:.0} ms, p99 {:.0} ms", ms(before.median), ms(before.p99));
    match recovered(&outcomes, ends, before) {
        Some(passed) => println!("  as before {:.1} s after the overload", passed.as_secs_f64()),
        None => println!("  not as before in {} s", AFTER.as_secs()),
    }
    let after = Latencies::of(between(&outcomes, ends + AFTER / 3, ends + AFTER));
    println!("  at half the rate after: p50 {:.0} ms, p99 {:.0} ms", ms(after.median), ms(after.p99));
    let memory: Vec<String> =
        samples.borrow().iter().map(|usage| format!("{:.0}", mib(usage.resident))).collect();
    println!("  MiB in memory, each second: {}", memory.join(" "));
    println!("  cores: this program {own_cores:.2}");
}

/// How long after `ends` nobody was refused any more and the median was at most half above what it was before.
fn recovered(outcomes: &[Outcome], ends: Duration, before: Latencies) -> Option<Duration> {
    let good = |from: Duration| {
        let step = between(outcomes, from, from + STEP);
        let counts = Counts::of(step);
        counts.done == counts.sent && Latencies::of(step).median <= before.median * 3 / 2
    };
    (0..).map(|number| STEP * number).take_while(|passed| *passed < AFTER).find(|passed| good(ends + *passed))
}

/// Notes what the server takes, each second, until it is aborted.
async fn sample(server: Process, samples: Rc<RefCell<Vec<Usage>>>) {
    let mut clock = time::interval(Duration::from_secs(1));
    loop {
        clock.tick().await;
        samples.borrow_mut().push(server.usage());
    }
}
