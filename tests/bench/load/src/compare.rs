//! What each server stands, in one run.

use crate::{
    figures::ms,
    request::photograph,
    server::{Program, Setup},
    sustained::{Sustained, sustained},
};

/// The key that `credlink serve` makes by itself, and a faster one.
const KEYS: [&str; 2] = ["rsa-2048", "p-256"];

/// The same picture for all; each verifies what it signed itself.
pub async fn table() {
    let image = photograph();
    println!(
        "\nSustained rate of a JPEG of {:.2} MB: all answered, p99 under 1 s, no backlog",
        image.len() as f64 / 1e6
    );
    println!("  {:<54} {:>7} {:>9} {:>9}   cores: server, load", "", "per s", "p50", "p99");
    for key in KEYS {
        let with = |program| Setup { program, key };
        let ours = sign(with(Program::Credlink)).await;
        let defaults = sign(with(Program::Python)).await;
        let plain = sign(with(Program::PythonWithoutThumbnails)).await;
        sign(with(Program::PythonBare)).await;
        if let (Some(ours), Some(defaults), Some(plain)) = (ours, defaults, plain) {
            println!(
                "  our sign / theirs, {key}: {:.2} with default settings, {:.2} with thumbnails off",
                ours.per_second / defaults.per_second,
                ours.per_second / plain.per_second,
            );
        }
    }
    let [key, _] = KEYS;
    let with = |program| Setup { program, key };
    let ours = verify(with(Program::Credlink)).await;
    let theirs = verify(with(Program::PythonWithoutThumbnails)).await;
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        println!("  our verify / theirs: {:.2}", ours.per_second / theirs.per_second);
    }
}

async fn sign(setup: Setup) -> Option<Sustained> {
    let server = setup.start();
    let request = server.sign_request(&photograph());
    let client = server.client();
    // What it signs must be worth measuring.
    server.verify_request(&photograph()).await;
    row(&format!("sign, {}", setup.name()), sustained(&client, &request, server.process()).await)
}

async fn verify(setup: Setup) -> Option<Sustained> {
    let server = setup.start();
    let request = server.verify_request(&photograph()).await;
    let client = server.client();
    row(&format!("verify, {}", setup.name()), sustained(&client, &request, server.process()).await)
}

fn row(name: &str, result: Option<Sustained>) -> Option<Sustained> {
    match &result {
        Some(Sustained { per_second, latencies, server_cores, own_cores }) => println!(
            "  {name:<54} {per_second:>7.1} {:>6.0} ms {:>6.0} ms   {server_cores:.2}, {own_cores:.2}",
            ms(latencies.median),
            ms(latencies.p99),
        ),
        None => println!("  {name:<54} nothing that was tried was stood"),
    }
    result
}
