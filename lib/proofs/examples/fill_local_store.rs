//! Fills a local proof store and measures it:
//!
//! ```text
//! cargo run --release -p credlink-proofs --example fill_local_store -- DIR 100000
//! ```
//!
//! Puts proofs with manifest stores of 12 KiB until DIR holds as many as asked for, then prints how long
//! opening, putting and looking up take. Start it again with the same number to measure a full folder from a
//! fresh process.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::{
    env,
    error::Error,
    fs,
    time::{Duration, Instant},
};

use bytes::Bytes;
use credlink_pipeline::{
    asset::Format,
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofRecord, ProofStore, ProofStoreError},
    timestamp::Timestamp,
};
use credlink_proofs::LocalProofStore;

const WRITERS: usize = 8;
const SAMPLES: usize = 10_000;
const PUT_SAMPLES: usize = 200;
const PAGE: usize = 10_000;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(dir), Some(wanted)) = (arguments.next(), arguments.next()) else {
        return Err("give a folder and a number of proofs".into());
    };
    let wanted: usize = wanted.parse()?;
    let now = Timestamp::parse("2026-03-01T00:00:00Z")?;

    let start = Instant::now();
    let store = LocalProofStore::open(dir)?;
    println!("open                   {:>9.1?}", start.elapsed());

    let present = all_ids(&store).await?.len();
    fill(&store, wanted.saturating_sub(present), now).await?;

    let start = Instant::now();
    let ids = all_ids(&store).await?;
    println!("ids of {:<9} proofs {:>9.1?}", ids.len(), start.elapsed());

    let mut puts = Vec::new();
    for _ in 0..PUT_SAMPLES {
        let proof = proof(now);
        let start = Instant::now();
        store.put(&proof).await?;
        puts.push(start.elapsed());
        store.delete(proof.record.id).await?;
    }
    print_times("put, one at a time", puts);

    let (mut records, mut proofs, mut finds, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for id in spread(&ids) {
        let start = Instant::now();
        let record = store.record(id, now).await?.ok_or("a proof is missing")?;
        records.push(start.elapsed());

        let start = Instant::now();
        let found = store.find_by_image_hash(record.image_hash, now).await?;
        finds.push(start.elapsed());
        if found != [record] {
            return Err("the index is wrong".into());
        }
        let start = Instant::now();
        store.proof(id, now).await?.ok_or("a proof is missing")?;
        proofs.push(start.elapsed());

        let start = Instant::now();
        store.record(ProofId::random(), now).await?;
        unknown.push(start.elapsed());
    }
    print_times("record", records);
    print_times("find_by_image_hash", finds);
    print_times("proof", proofs);
    print_times("record of unknown id", unknown);
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    }
    Ok(())
}

async fn fill(store: &LocalProofStore, missing: usize, now: Timestamp) -> Result<()> {
    let start = Instant::now();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            let share = missing / WRITERS + usize::from(writer < missing % WRITERS);
            tokio::spawn(async move {
                for _ in 0..share {
                    store.put(&proof(now)).await?;
                }
                Ok::<(), ProofStoreError>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    if missing > 0 {
        let each = start.elapsed() / u32::try_from(missing)?;
        println!("put, {WRITERS} at a time      {each:>9.1?} each, {missing} proofs");
    }
    Ok(())
}

async fn all_ids(store: &LocalProofStore) -> Result<Vec<ProofId>> {
    let mut ids: Vec<ProofId> = Vec::new();
    loop {
        let page = store.ids_after(ids.last().copied(), PAGE).await?;
        ids.extend_from_slice(&page);
        if page.len() < PAGE {
            return Ok(ids);
        }
    }
}

/// Up to [`SAMPLES`] ids from everywhere, neighbours far apart.
fn spread(ids: &[ProofId]) -> impl Iterator<Item = ProofId> {
    let samples = ids.len().min(SAMPLES);
    (0..samples).filter_map(move |n| ids.get(n.wrapping_mul(7_368_787) % ids.len()).copied())
}

fn proof(now: Timestamp) -> Proof {
    let id = ProofId::random();
    let image_hash = Sha256Hash::of(id.to_string().as_bytes());
    let manifest_store = Bytes::from(image_hash.as_bytes().repeat(384));
    let record = ProofRecord {
        id,
        uri: format!("https://proofs.example/proofs/{id}"),
        image_hash,
        manifest_hash: Sha256Hash::of(&manifest_store),
        fingerprint: Some("ISCC:EEDWQQ53UV5JKL32JFHL6OUJD4P7OCQIBFYUZ77GABRGV5KJYZ3YBFA".to_owned()),
        format: Format::Jpeg,
        image_length: 3_000_000,
        created_at: now,
        expires_at: now.plus_days(365),
        signature: None,
        stamped: None,
    };
    Proof { record, manifest_store }
}

fn print_times(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    println!("{what:<22} {:>9.1?} median {:>9.1?} p99", at(50), at(99));
}
