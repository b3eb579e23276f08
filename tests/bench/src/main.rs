//! Speed and memory of signing and verifying, side by side with what else there is, as ratios in one run.
//!
//! `cargo run --release` prints everything. `sign FILE` signs one file and prints the process's peak memory;
//! the memory table runs itself that way, so that one measurement does not stand on another's heap.

mod contenders;
mod functions;
mod memory;
mod start;
mod timing;

use contenders::Contenders;
use credlink_bench_pictures as pictures;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => {
            speed();
            memory::table();
            start::table();
            functions::table();
        }
        [command, file] if command == "sign" => memory::sign_once(file),
        _ => {
            eprintln!("usage: credlink-bench [sign FILE]");
            std::process::exit(2);
        }
    }
}

/// A row for each way to do it, a table for each picture. The first row is the floor.
fn speed() {
    let contenders = Contenders::new();
    let twelve = pictures::photograph(4000, 3000, 10);
    for (name, mime, bytes) in [
        ("JPEG, 12 megapixels", "image/jpeg", pictures::jpeg(&twelve, 88)),
        ("PNG, 2 megapixels", "image/png", pictures::png(&pictures::photograph(1600, 1250, 10))),
        ("WebP lossy, 12 megapixels", "image/webp", pictures::webp(&twelve, 90.0)),
    ] {
        println!("\n{name}, {:.1} MB, median (ratio to SHA-256)", bytes.len() as f64 / 1e6);
        let rows = contenders.measure(mime, &bytes);
        let floor = rows[0].1;
        for (row, time) in &rows {
            println!("  {row:<44} {:>9.2} ms  {:>7.2} x", time * 1e3, time / floor);
        }
        let of = |name: &str| rows.iter().find(|(row, _)| row == name).expect("a row of the table").1;
        println!("  our sign without fingerprint / SHA-256: {:.2}", of(contenders::SIGN_PLAIN) / floor);
        println!(
            "  naive pipeline / our whole sign: {:.2}",
            of(contenders::NAIVE) / of(contenders::SIGN_WHOLE)
        );
        println!("  our verify / c2pa Reader: {:.2}", of(contenders::VERIFY) / of(contenders::READER));
    }
}
