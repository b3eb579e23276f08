//! One migration, undisturbed and killed.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use credlink_pipeline::proof::ProofId;
use credlink_proofs::migration::Runs;
use serde_json::Value;

use crate::{
    Result,
    command::run,
    contents::{fill, records, verify},
    places::{Kind, open},
};

/// Proofs that are in the destination before.
const BEFORE: usize = 100;

/// Measures moving `proofs` proofs, and fails when anything is not as it should be.
pub(crate) async fn measure(
    credlink: &Path,
    dir: &Path,
    (from, to): (Kind, Kind),
    proofs: usize,
    kills: u32,
) -> Result<()> {
    let dir = dir.join(format!("{}-{}", from.name(), to.name()));
    fs::create_dir_all(&dir)?;
    let data = dir.join("data");
    let (from_text, to_text) = (from.fresh(&dir).await, to.fresh(&dir).await);
    let (source, destination) = (open(&from_text).await?, open(&to_text).await?);
    let begun = Instant::now();
    fill(&source, "proof", proofs).await?;
    let filled = begun.elapsed();
    fill(&destination, "another", BEFORE).await?;
    let before = records(&*destination).await?;
    let mut expected = before.clone();
    expected.extend(records(&*source).await?);

    let arguments = ["--from", &from_text, "--to", &to_text, "--batch-size", "100"];
    let begun = Instant::now();
    let ended = run(credlink, &data, &arguments, None)?;
    let moved = begun.elapsed();
    let mut peak_memory = ended.peak_memory;
    let id = check(&ended.report.ok_or("no report")?, proofs)?;
    verify(&*destination, &expected, proofs).await?;

    let begun = Instant::now();
    run(credlink, &data, &["--rollback", &id, "--to", &to_text], None)?;
    let rolled_back = begun.elapsed();
    if records(&*destination).await? != before {
        return Err("the rollback left something".into());
    }

    // Each process lives as long as a share of the whole takes, more or less.
    let share = moved.as_secs_f64() / f64::from(kills.max(1));
    let begun = Instant::now();
    let (mut resumed, mut killed): (Option<String>, u32) = (None, 0);
    let report = loop {
        let limit = (killed < kills).then(|| Duration::from_secs_f64(share * (0.2 + 1.4 * random())));
        let resume = resumed.clone().unwrap_or_default();
        let with_stores = ["--resume", &resume, "--from", &from_text, "--to", &to_text];
        let ended = match &resumed {
            None => run(credlink, &data, &arguments, limit)?,
            Some(_) => run(credlink, &data, &with_stores, limit)?,
        };
        peak_memory = peak_memory.max(ended.peak_memory);
        if let Some(report) = ended.report {
            break report;
        }
        killed += 1;
        // A process that was killed before it had made its run is begun anew.
        let newest = Runs::new(data.join("migrations")).list()?.pop().map(|run| run.plan.run.to_string());
        resumed = newest.filter(|newest| *newest != id);
    };
    let with_kills = begun.elapsed();
    let id = check(&report, proofs)?;
    verify(&*destination, &expected, proofs).await?;
    run(credlink, &data, &["--rollback", &id, "--to", &to_text], None)?;
    if records(&*destination).await? != before {
        return Err("the second rollback left something".into());
    }
    println!(
        "| {} | {} | {proofs} | {:.1} s | {:.1} s | {:.0} | {:.1} s | {killed}: {:.1} s | {} MB |",
        from.name(),
        to.name(),
        filled.as_secs_f64(),
        moved.as_secs_f64(),
        proofs as f64 / moved.as_secs_f64(),
        rolled_back.as_secs_f64(),
        with_kills.as_secs_f64(),
        peak_memory / 1000
    );
    fs::remove_dir_all(&dir)?;
    Ok(())
}

/// Fails unless everything was copied and both digests are the same; the run's name.
fn check(report: &Value, proofs: usize) -> Result<String> {
    let text = |pointer: &str| report.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64);
    let copied = number("/counts/copied");
    let is_equal = report.pointer("/reconciliation/equal") == Some(&Value::Bool(true));
    if text("/ending").as_deref() != Some("complete") || copied != Some(proofs as u64) || !is_equal {
        return Err(format!("not everything is there: {report}").into());
    }
    text("/run").ok_or_else(|| "no run".into())
}

/// From 0 to 1.
fn random() -> f64 {
    let text = ProofId::random().to_string();
    let digits = text.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default();
    f64::from(digits) / f64::from(u32::MAX)
}
