//! The command as a process, which may be killed.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use credlink_local_aws::{LocalAws, REGION};
use serde_json::Value;

use crate::Result;

/// How often the process is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How a process ended.
pub(crate) struct Ended {
    /// What it printed; `None` when it was killed.
    pub(crate) report: Option<Value>,
    /// In kilobytes.
    pub(crate) peak_memory: u64,
}

/// Runs `credlink migrate-proofs`, and kills it after this time.
pub(crate) fn run(
    credlink: &Path,
    data: &Path,
    arguments: &[&str],
    kill_after: Option<Duration>,
) -> Result<Ended> {
    let output = data.with_extension("out");
    let mut command = Command::new(credlink);
    command.arg("migrate-proofs").args(arguments).arg("--json").arg("--data").arg(data);
    command.stdout(File::create(&output)?).stderr(Stdio::piped());
    // Where no store is on AWS, none is started for the command.
    if arguments.iter().any(|argument| argument.starts_with("dynamodb:") || argument.starts_with("s3:"))
        || data.join("aws").exists()
    {
        fs::create_dir_all(data.join("aws"))?;
        command
            .env("AWS_ENDPOINT_URL", LocalAws::shared().endpoint())
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test");
    }
    let mut process = command.spawn()?;
    let (begun, mut peak_memory) = (Instant::now(), 0);
    let status = loop {
        peak_memory = peak_memory.max(peak_memory_of(&process));
        if let Some(status) = process.try_wait()? {
            break status;
        }
        if kill_after.is_some_and(|limit| begun.elapsed() >= limit) {
            process.kill()?;
            process.wait()?;
            return Ok(Ended { report: None, peak_memory });
        }
        thread::sleep(LOOK);
    };
    let mut complaint = String::new();
    if let Some(mut stderr) = process.stderr.take() {
        stderr.read_to_string(&mut complaint)?;
    }
    if !status.success() {
        return Err(format!("{arguments:?} ended with {status}: {complaint}").into());
    }
    Ok(Ended { report: Some(serde_json::from_slice(&fs::read(output)?)?), peak_memory })
}

/// The most memory that the process had so far, in kilobytes.
fn peak_memory_of(process: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
