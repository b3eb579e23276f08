//! The cleanup of a folder.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use credlink_pipeline::proof::ProofStore as _;
use credlink_proofs::{LocalProofStore, ProofStatistics as _};

use crate::{
    Result,
    proofs::{fill, in_two_days, is_expired, proof, verify},
};

/// How many proofs are deleted one by one, for comparison.
const DELETED: usize = 500;

/// How a process ended.
#[derive(Default)]
struct Ended {
    pages: usize,
    is_done: bool,
    /// In kilobytes.
    peak_memory: u64,
}

/// Fills `folder`, has it cleaned up, and prints what it took.
pub(crate) async fn run(folder: PathBuf, proofs: usize, kills: usize) -> Result<()> {
    let store = LocalProofStore::open(&folder)?;
    let start = Instant::now();
    fill(&store, proofs).await?;
    println!("{proofs} proofs put             {:>9.1?}", start.elapsed());

    let start = Instant::now();
    let census = store.census(in_two_days()).await?;
    println!("counted                       {:>9.1?} {census:?}", start.elapsed());

    let start = Instant::now();
    for number in (0..proofs).filter(|number| is_expired(*number)).step_by((proofs / 2).div_ceil(DELETED)) {
        store.delete(proof(number)?.record.id).await?;
    }
    println!("deleted one by one, each      {:>9.1?}", start.elapsed() / u32::try_from(DELETED)?);

    // Each is killed after its share of all pages, in the middle of one. A page has some 1000 names.
    let share = proofs * 3 / 2 / 1000 / (kills + 1);
    let (mut pages, mut peak_memory, mut killed) = (0, 0, 0);
    let start = Instant::now();
    loop {
        let limit = if killed < kills { Some(share) } else { None };
        let ended = clean(&folder, limit, killed)?;
        pages += ended.pages;
        peak_memory = peak_memory.max(ended.peak_memory);
        if ended.is_done {
            break;
        }
        killed += 1;
    }
    println!("cleaned up                    {:>9.1?} killed {killed} times, {pages} pages", start.elapsed());
    println!("peak memory of the cleanup    {peak_memory:>6} kB");

    let start = Instant::now();
    verify(&store, proofs).await?;
    let entries = count(&folder.join("by-hash"))?;
    if entries != proofs.div_ceil(2) {
        return Err(format!("{entries} look-ups are left").into());
    }
    println!("all as it should be           {:>9.1?}", start.elapsed());
    Ok(())
}

/// Has the folder cleaned up by a process, and kills it after so many pages.
fn clean(folder: &Path, pages: Option<usize>, round: usize) -> Result<Ended> {
    let mut process =
        Command::new(env::current_exe()?).arg("clean").arg(folder).stdout(Stdio::piped()).spawn()?;
    let output = process.stdout.take().ok_or("no output")?;
    let mut ended = Ended::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        let mut words = line.split(' ');
        ended.is_done = words.next() == Some("done");
        ended.peak_memory = words.next().unwrap_or_default().parse()?;
        ended.pages += usize::from(!ended.is_done);
        if pages == Some(ended.pages) {
            thread::sleep(Duration::from_millis(round as u64 % 10));
            process.kill()?;
            break;
        }
    }
    let status = process.wait()?;
    if pages.is_none() && !status.success() {
        return Err("the cleanup failed".into());
    }
    Ok(ended)
}

fn count(parent: &Path) -> Result<usize> {
    let mut names = 0;
    for shard in fs::read_dir(parent)? {
        names += fs::read_dir(shard?.path())?.count();
    }
    Ok(names)
}
