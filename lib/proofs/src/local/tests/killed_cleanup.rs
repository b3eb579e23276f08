//! A cleanup that is killed at any moment, and goes on in another process where it had kept its place.
//!
//! The test starts this test executable again, as a process that cleans up, and kills it with SIGKILL while it is at it.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::upkeep::{Faults, Sweep, Upkeep as _};

const FOLDER: &str = "CREDLINK_TEST_CLEANUP_FOLDER";
const KILLS: u32 = 20;
const PROOFS: usize = 2000;

/// Where the process keeps its place, beside the proofs.
fn place_file(folder: &Path) -> PathBuf {
    folder.with_extension("place")
}

/// Not a test of its own: what the started process does. Without the variable there is nothing to do.
#[tokio::test]
async fn cleaner() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let store = LocalProofStore::open(&folder).unwrap();
    let mut after = fs::read_to_string(place_file(&folder)).ok();
    let sweep = Sweep { page: 40, ..Sweep::new(time(NOW), false) };
    loop {
        let page = store.sweep_page(sweep, after.as_deref()).await.unwrap();
        assert_eq!(page.faults, Faults::default());
        println!("page");
        let Some(next) = page.next else { break };
        let partial = folder.with_extension("partial");
        fs::write(&partial, &next).unwrap();
        fs::rename(&partial, place_file(&folder)).unwrap();
        after = Some(next);
    }
    println!("done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_killed_at_any_moment_goes_on_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("proofs");
    let store = LocalProofStore::open(&folder).unwrap();
    let valid = fill(&store).await;

    let mut kills = 0;
    while kills < KILLS {
        let (mut process, reports) = start(&folder);
        if ends_before(kills, &reports) {
            process.wait().unwrap();
            break;
        }
        process.kill().unwrap();
        process.wait().unwrap();
        kills += 1;
    }
    assert!(kills > KILLS / 2, "it was done after {kills} kills");
    let (mut process, reports) = start(&folder);
    assert_eq!(reports.iter().last().as_deref(), Some("done"));
    assert!(process.wait().unwrap().success());

    let ids: BTreeSet<ProofId> = store.ids_after(None, usize::MAX).await.unwrap().into_iter().collect();
    assert_eq!(ids, valid.iter().map(|proof| proof.record.id).collect());
    for proof in &valid {
        assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(proof));
    }
    drop(store);
    assert_tidy(&folder);
}

/// Half of the proofs are expired; the others.
async fn fill(store: &LocalProofStore) -> Vec<Proof> {
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut valid = Vec::new();
                for n in 0..PROOFS / 16 {
                    let image = format!("image {writer} {n}");
                    let proof = sample(image.as_bytes(), "2026-01-01T00:00:00Z");
                    store.put(&proof).await.unwrap();
                    store.put(&sample(image.as_bytes(), "2019-01-01T00:00:00Z")).await.unwrap();
                    valid.push(proof);
                }
                valid
            })
        })
        .collect();
    let mut valid = Vec::new();
    for writer in writers {
        valid.extend(writer.await.unwrap());
    }
    valid
}

fn start(folder: &Path) -> (Child, Receiver<String>) {
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "local::tests::killed_cleanup::cleaner", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (send, reports) = mpsc::channel();
    thread::spawn(move || {
        // The test harness says something, too.
        for line in lines.map_while(Result::ok).filter(|line| line == "page" || line == "done") {
            drop(send.send(line));
        }
    });
    (process, reports)
}

/// Waits until the process is at work, and then for a time that differs from round to round by less than a page takes;
/// whether it was done before.
fn ends_before(round: u32, reports: &Receiver<String>) -> bool {
    if reports.recv_timeout(Duration::from_secs(60)).is_ok_and(|report| report == "done") {
        return true;
    }
    let until = Instant::now() + Duration::from_micros(211) * round;
    while let Ok(report) = reports.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if report == "done" {
            return true;
        }
    }
    false
}
