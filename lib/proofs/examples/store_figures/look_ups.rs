//! Looking up in a full store.

use std::{
    fs,
    time::{Duration, Instant},
};

use credlink_pipeline::proof::ProofId;
use credlink_proofs::ProofArchive;

use crate::{
    Result,
    proofs::{id, image_hash, now, proof},
};

const SAMPLES: usize = 10_000;
const PUT_SAMPLES: usize = 500;

/// Looks up proofs from everywhere in a store with so many, neighbours far apart.
pub(crate) async fn run(store: &dyn ProofArchive, proofs: usize) -> Result<()> {
    let now = now()?;
    let (mut records, mut found, mut whole, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for number in (0..SAMPLES.min(proofs)).map(|sample| sample.wrapping_mul(7_368_787) % proofs) {
        let start = Instant::now();
        let record = store.record(id(number), now).await?.ok_or("a proof is missing")?;
        records.push(start.elapsed());

        let start = Instant::now();
        let of_image = store.find_by_image_hash(image_hash(number), now).await?;
        found.push(start.elapsed());

        let start = Instant::now();
        let read = store.proof(id(number), now).await?;
        whole.push(start.elapsed());

        let start = Instant::now();
        store.record(ProofId::random(), now).await?;
        unknown.push(start.elapsed());

        if read.as_ref() != Some(&proof(number)?) || of_image != [record] {
            return Err(format!("proof {number} is not as it should be").into());
        }
    }
    print_times("by id", records);
    print_times("by image hash", found);
    print_times("with manifest store", whole);
    print_times("by unknown id", unknown);

    let (mut puts, mut deletions) = (Vec::new(), Vec::new());
    for number in proofs..proofs + PUT_SAMPLES {
        let proof = proof(number)?;
        let start = Instant::now();
        store.put(&proof).await?;
        puts.push(start.elapsed());
        let start = Instant::now();
        store.delete(proof.record.id).await?;
        deletions.push(start.elapsed());
    }
    print_times("put, one at a time", puts);
    print_times("deletion", deletions);

    let start = Instant::now();
    let page = store.page(None, 1000).await?;
    println!("{:<22} {:>9.1?}", format!("page of {}", page.records.len()), start.elapsed());
    let start = Instant::now();
    let census = store.census(now).await?;
    let valid = census.map(|census| census.counts.valid);
    println!("{:<22} {:>9.1?} {valid:?} valid", "count", start.elapsed());
    print_memory()
}

/// What this process has in memory, and the most that it ever had.
pub(crate) fn print_memory() -> Result<()> {
    let status = fs::read_to_string("/proc/self/status")?;
    for line in status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS")) {
        println!("{line}");
    }
    Ok(())
}

fn print_times(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!("{what:<22} {:>9.1?} median {:>9.1?} p99", at(50), at(99));
}
