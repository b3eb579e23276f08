//! A process that is killed at any moment leaves whole proofs.
//!
//! The test starts this test executable again, as a process that puts and deletes proofs and reports each step, and kills
//! it with SIGKILL while it is at it.

use std::{
    collections::HashMap,
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::ProofArchive;

const URL: &str = "CREDLINK_TEST_PROOF_DATABASE";
const KILLS: u32 = 20;
const WRITERS: usize = 3;

/// Not a test of its own: what the started process does. Without the variable there is nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn writer() {
    let Ok(url) = env::var(URL) else { return };
    let store = Place { url }.store().await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                loop {
                    let proof = proof_of(ProofId::random());
                    let id = proof.record.id;
                    store.put(&proof).await.unwrap();
                    report("stored", id);
                    if id.to_string().starts_with(['0', '1', '2', '3']) {
                        report("deleting", id);
                        assert!(store.delete(id).await.unwrap());
                        report("deleted", id);
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        let () = writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_process_killed_at_any_moment_leaves_whole_proofs_or_none() {
    let place = Place::fresh().await;
    let mut told = HashMap::new();
    for round in 0..KILLS {
        let (mut process, reports) = start_writer(&place.url);
        collect_for_a_while(round, &reports, &mut told);
        process.kill().unwrap();
        process.wait().unwrap();
        // What it had written before it died is still in the pipe.
        told.extend(reports.iter());
    }
    assert!(told.len() > 40, "only {} proofs were put", told.len());
    place.wait_for_the_last_connection().await;
    let store = place.store().await;
    let there = ids(&store).await;
    for id in &there {
        let expected = proof_of(*id);
        assert_eq!(store.proof(*id, time(NOW)).await.unwrap().as_ref(), Some(&expected));
        let found = store.find_by_image_hash(expected.record.image_hash, time(NOW)).await.unwrap();
        assert_eq!(found, [expected.record]);
    }
    for (id, state) in told {
        match state.as_str() {
            "stored" => assert!(there.contains(&id), "{id} was stored and is lost"),
            "deleted" => assert!(!there.contains(&id), "{id} was deleted and came back"),
            _ => {}
        }
    }
    assert_eq!(place.rows("manifest_stores").await, length(there.len()));
}

impl Place {
    /// What a dead process had sent is done or not when the server has noticed its death.
    async fn wait_for_the_last_connection(&self) {
        let client = connect(&self.url).await;
        let sql = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        let until = Instant::now() + Duration::from_secs(60);
        while client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            assert!(Instant::now() < until, "the connections of dead processes stay");
            tokio::task::yield_now().await;
        }
    }
}

async fn ids(store: &dyn ProofArchive) -> Vec<ProofId> {
    let mut ids = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.page(after.as_deref(), 1000).await.unwrap();
        ids.extend(page.records.iter().map(|record| record.id));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

/// The proof with this id that the writer puts. Its length differs from id to id.
fn proof_of(id: ProofId) -> Proof {
    let digest = Sha256Hash::of(id.to_string().as_bytes());
    let mut proof = sample(id.to_string().as_bytes(), "2026-01-01T00:00:00Z");
    proof.record.id = id;
    proof.record.uri = format!("https://proofs.example/proofs/{id}");
    proof.manifest_store = digest.as_bytes().repeat(usize::from(digest.as_bytes()[0]) * 8).into();
    proof.record.manifest_hash = Sha256Hash::of(&proof.manifest_store);
    proof
}

fn start_writer(url: &str) -> (Child, Receiver<(ProofId, String)>) {
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "postgres::tests::killed::writer", "--nocapture", "--test-threads=1"])
        .env(URL, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (send, reports) = mpsc::channel();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            // The test harness says something, too; and the last line may be cut off.
            if let Some((state, id)) = line.split_once(' ')
                && let Ok(id) = id.parse()
            {
                drop(send.send((id, state.to_owned())));
            }
        }
    });
    (process, reports)
}

/// Waits until the process is at work, and then for a time that differs from round to round by less than a single step
/// takes, so that the kill meets every moment of it.
fn collect_for_a_while(
    round: u32,
    reports: &Receiver<(ProofId, String)>,
    told: &mut HashMap<ProofId, String>,
) {
    told.extend(reports.recv_timeout(Duration::from_secs(60)));
    let until = Instant::now() + Duration::from_micros(733) * round;
    while let Ok(report) = reports.recv_timeout(until.saturating_duration_since(Instant::now())) {
        told.extend([report]);
    }
}

/// One write per line, so that a kill cuts off at most the last one.
fn report(state: &str, id: ProofId) {
    io::stdout().lock().write_all(format!("{state} {id}\n").as_bytes()).unwrap();
}
