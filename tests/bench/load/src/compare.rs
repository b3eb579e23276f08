//! What each server stands, in one run.

use crate::{
    figures::ms,
    request::photograph,
    server::{Program, Setup},
    sustained::{Sustained, sustained},
};

/// The key that `credlink serve` makes by itself, and a faster one.
const KEYS: [&str; 2] = ["rsa-2048", "p-256"];

/// A row for each server whose name holds `wanted`, and how they stand to each other. The same picture for all; each
/// verifies what it signed itself.
pub async fn table(wanted: &str) {
    let length = photograph().len() as f64 / 1e6;
    println!("\nSustained rate of a JPEG of {length:.2} MB: all answered, p99 under 1 s, no backlog");
    println!("  {:<54} {:>7} {:>9} {:>9}   cores: server, load; what ended it", "", "per s", "p50", "p99");
    for key in KEYS {
        let with = |program| Setup { program, key };
        let ours = row(Operation::Sign, with(Program::Credlink), wanted).await;
        for program in [Program::Python, Program::PythonWithoutThumbnails, Program::PythonBare] {
            let theirs = row(Operation::Sign, with(program), wanted).await;
            ratio(ours, theirs);
        }
    }
    let [key, _] = KEYS;
    let ours = row(Operation::Verify, Setup { program: Program::Credlink, key }, wanted).await;
    let theirs = row(Operation::Verify, Setup { program: Program::Python, key }, wanted).await;
    ratio(ours, theirs);
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Sign,
    Verify,
}

async fn row(operation: Operation, setup: Setup, wanted: &str) -> Option<Sustained> {
    let name = match operation {
        Operation::Sign => format!("sign, {}", setup.name()),
        Operation::Verify => format!("verify, {}", setup.name()),
    };
    if !name.contains(wanted) {
        return None;
    }
    let server = setup.start();
    let image = photograph();
    // What it signs must be worth measuring, too.
    let verify = server.verify_request(&image).await;
    let request = match operation {
        Operation::Sign => server.sign_request(&image),
        Operation::Verify => verify,
    };
    let result = sustained(&server.client(), &request, server.process()).await;
    match &result {
        Some(Sustained { per_second, latencies, server_cores, own_cores, end }) => println!(
            "  {name:<54} {per_second:>7.1} {:>6.0} ms {:>6.0} ms   {server_cores:.2}, {own_cores:.2}   {} at {:.1}",
            ms(latencies.median),
            ms(latencies.p99),
            end.reason,
            end.per_second,
        ),
        None => println!("  {name:<54} nothing that was tried was stood"),
    }
    result
}

fn ratio(ours: Option<Sustained>, theirs: Option<Sustained>) {
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        println!("  {:>54} {:>7.2}", "ours / this one", ours.per_second / theirs.per_second);
    }
}
