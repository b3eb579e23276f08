//! Peak memory of a process that signs one file.

use std::{path::Path, process::Command};

use bytes::Bytes;
use credlink_bench_pictures as pictures;
use credlink_pipeline::sign::SignSettings;
use credlink_proofs::MemoryProofStore;

use crate::contenders::Contenders;

/// Signs files of several sizes, each in a process of its own.
pub fn table() {
    println!(
        "\nPeak memory of a process that signs one file (what it needs before reading the file: first row)"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let small = pictures::jpeg(&pictures::photograph(64, 64, 4), 80);
    row(folder.path(), "JPEG of 64 x 64", &small);
    row(folder.path(), "JPEG, 12 megapixels", &pictures::jpeg(&pictures::photograph(4000, 3000, 10), 88));
    row(folder.path(), "JPEG, 100 megapixels", &pictures::jpeg(&pictures::photograph(10_000, 10_000, 4), 70));
    row(folder.path(), "JPEG of 50 MB", &fill_up(pictures::jpeg(&pictures::photograph(7000, 6000, 120), 97)));
    row(folder.path(), "PNG of 50 MB", &fill_up(pictures::png(&pictures::photograph(4400, 4000, 20))));
    row(
        folder.path(),
        "WebP lossy, 12 megapixels",
        &pictures::webp(&pictures::photograph(4000, 3000, 10), 90.0),
    );
}

/// Signs `file` and prints the peak.
pub fn sign_once(file: &str) {
    let image = Bytes::from(std::fs::read(file).expect("the file can be read"));
    let contenders = Contenders::new();
    let signed = contenders.sign(&image, &SignSettings::default(), &MemoryProofStore::default());
    signed.image.write_to(&mut std::io::sink()).expect("nothing refuses to be dropped");
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak");
    println!("{}", peak.trim().trim_end_matches(" kB"));
}

fn row(folder: &Path, name: &str, bytes: &[u8]) {
    let file = folder.join("picture");
    std::fs::write(&file, bytes).expect("the file can be written");
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).arg("sign").arg(&file).output().expect("it runs again");
    let peak: f64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("the peak in kB");
    let (peak, length) = (peak / 1024.0, bytes.len() as f64 / f64::from(1 << 20));
    println!(
        "  {name:<28} {length:>6.1} MiB file  {peak:>7.1} MiB peak  {:>7.1} MiB above the file",
        peak - length
    );
}

/// Lengthens a file to just under 50 MiB behind its end, as motion photos do.
fn fill_up(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().max(50 << 20).min(50 << 20), 0);
    bytes
}
