//! From the start of the service to its first line, which says that it listens.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Instant,
};

/// Starts the program named by CREDLINK_BIN 20 times with keys that exist already.
pub fn table() {
    let Some(program) = std::env::var_os("CREDLINK_BIN") else {
        println!("\nStart to listening: not measured; set CREDLINK_BIN to a release build of credlink");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = || {
        let begun = Instant::now();
        let mut service = Command::new(&program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the service starts");
        let mut line = String::new();
        let stdout = service.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a first line");
        let time = begun.elapsed().as_secs_f64() * 1e3;
        service.kill().and_then(|()| service.wait()).expect("the service ends");
        assert!(line.contains("listening"), "{line}");
        time
    };
    let first = start();
    let mut times: Vec<f64> = (0..20).map(|_| start()).collect();
    times.sort_by(f64::total_cmp);
    println!(
        "\nStart to listening: {:.1} ms median, {:.1} ms at most; {first:.1} ms with keys still to be made",
        times[10], times[19]
    );
}
