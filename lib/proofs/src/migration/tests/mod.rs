mod conflicts;
mod damage;
mod faulty;
mod interruptions;
mod meanwhile;
mod moving;
mod rolling_back;
mod stores;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{Proof, ProofCatalogue, ProofId, ProofRecord, ProofStore as _, StampedCopy},
    timestamp::Timestamp,
};
use tempfile::TempDir;

use super::{whole::before_all, *};
use crate::{
    MemoryProofStore,
    contract::{sample, time},
};

/// When runs begin.
const NOW: &str = "2026-03-01T00:00:00Z";

/// All that a store holds: records, manifest stores and stamped copies.
type Contents = BTreeMap<ProofId, (Proof, Option<Bytes>)>;

/// Two stores in memory, and a folder of runs.
struct Place {
    dir: TempDir,
    source: Arc<MemoryProofStore>,
    destination: Arc<MemoryProofStore>,
}

impl Place {
    fn new() -> Self {
        // Where there is a file system in memory, flushing takes no time.
        let in_memory = Path::new("/dev/shm");
        let dir = if in_memory.is_dir() { tempfile::tempdir_in(in_memory) } else { tempfile::tempdir() };
        let dir = dir.unwrap();
        Self { dir, source: Arc::default(), destination: Arc::default() }
    }

    fn runs(&self) -> Runs {
        Runs::new(self.dir.path().join("migrations"))
    }

    fn begin(&self, options: Options) -> RunFolder {
        self.runs().create(plan(options)).unwrap()
    }

    fn migration(&self) -> Migration {
        migration(Arc::clone(&self.source) as _, Arc::clone(&self.destination) as _)
    }

    /// Runs to the end.
    async fn run(&self, options: Options) -> (RunId, Report) {
        let mut run = self.begin(options);
        let report = self.migration().run(&mut run, &|| false).await.unwrap();
        (run.plan().run.clone(), report)
    }

    async fn roll_back(&self, run: &RunId) -> RollbackReport {
        let mut run = self.runs().open(run).unwrap();
        self.migration().roll_back(&mut run, &|| false).await.unwrap()
    }
}

/// A migration that does not wait long.
fn migration(source: Arc<dyn ProofCatalogue>, destination: Arc<dyn ProofCatalogue>) -> Migration {
    let patience = Patience { attempts: 3, first_pause: Duration::from_micros(100) };
    Migration::new(source, destination).with_patience(patience)
}

fn plan(options: Options) -> Plan {
    let started = time(NOW);
    Plan { run: RunId::new(started), from: "here".to_owned(), to: "there".to_owned(), options, started }
}

fn policy(on_conflict: OnConflict) -> Options {
    Options { on_conflict, ..Options::default() }
}

async fn contents(store: &dyn ProofCatalogue) -> Contents {
    let mut contents = Contents::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.page(after.as_deref(), 1000).await.unwrap();
        for id in page.records.iter().map(|record| record.id) {
            let proof = store.proof(id, before_all()).await.unwrap().unwrap();
            contents.insert(id, (proof, store.stamped_store(id, before_all()).await.unwrap()));
        }
        after = page.next;
        if after.is_none() {
            return contents;
        }
    }
}

/// Puts `count` proofs, of which every third has a stamped copy.
async fn fill(store: &dyn ProofCatalogue, count: usize) -> Vec<ProofRecord> {
    let mut records = Vec::new();
    for number in 0..count {
        let proof = sample(format!("image {}", number / 2).as_bytes(), "2026-01-01T00:00:00Z");
        store.put(&proof).await.unwrap();
        records.push(match number % 3 {
            0 => stamp(store, &proof.record, "2026-02-01T00:00:00Z").await,
            _ => proof.record,
        });
    }
    records
}

/// Adds a stamped copy that was made at this time.
async fn stamp(store: &dyn ProofCatalogue, record: &ProofRecord, stamped_at: &str) -> ProofRecord {
    let stamped = Bytes::from(format!("stamped {} at {stamped_at}", record.id).repeat(20));
    let at: Timestamp = time(stamped_at);
    let copy = StampedCopy { manifest_hash: Sha256Hash::of(&stamped), time: at, stamped_at: at };
    assert!(store.keep_stamped(record, copy, stamped).await.unwrap());
    ProofRecord { stamped: Some(copy), ..record.clone() }
}

/// Another proof with the id of this one.
fn namesake(proof: &ProofRecord, created_at: &str) -> Proof {
    let mut other = sample(b"another image", created_at);
    other.record.id = proof.id;
    other
}
