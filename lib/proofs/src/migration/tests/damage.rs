//! Proofs that cannot be moved fail alone.

use std::{fs, path::PathBuf};

use super::*;
use crate::LocalProofStore;

/// The file of a proof in a folder.
fn file_of(folder: &Path, id: ProofId) -> PathBuf {
    let id = id.to_string();
    folder.join("by-id").join(&id[..3]).join(format!("{id}.proof"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_proof_fails_alone_and_the_report_says_why() {
    let place = Place::new();
    let folder = place.dir.path().join("proofs");
    let store = LocalProofStore::open(&folder).unwrap();
    let records = fill(&store, 12).await;
    let spoil = |number: usize, change: fn(&mut Vec<u8>)| {
        let path = file_of(&folder, records[number].id);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    };
    spoil(1, |bytes| bytes.truncate(100));
    spoil(2, |bytes| bytes[70] ^= 1);
    // The format of a newer version; and a manifest store that was changed.
    spoil(4, |bytes| bytes[11] = 2);
    spoil(5, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let store = Arc::new(LocalProofStore::open_for_reading(&folder).unwrap());
    let mut run = place.begin(Options::default());
    let migration = migration(store, Arc::clone(&place.destination) as _);
    let report = migration.run(&mut run, &|| false).await.unwrap();
    assert_eq!((report.ending, report.counts.copied, report.counts.failed), (Ending::Incomplete, 8, 4));
    let reason = |number: usize| {
        let finding = report.failures.iter().find(|finding| finding.id == records[number].id);
        finding.unwrap().reason.clone()
    };
    assert!(reason(1).contains("cut off") || reason(1).contains("bytes instead of"), "{}", reason(1));
    assert!(reason(2).contains("SHA-256 differs"), "{}", reason(2));
    assert!(reason(4).contains("newer"), "{}", reason(4));
    assert!(reason(5).contains("manifest store"), "{}", reason(5));
    assert_eq!(contents(&*place.destination).await.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_says_more_than_we_know_is_not_copied() {
    let place = Place::new();
    let folder = place.dir.path().join("proofs");
    let store = LocalProofStore::open(&folder).unwrap();
    let records = fill(&store, 3).await;
    let path = file_of(&folder, records[1].id);
    let bytes = fs::read(&path).unwrap();
    let length = u32::from_be_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let mut record: serde_json::Value = serde_json::from_slice(&bytes[56..56 + length]).unwrap();
    record["watermark"] = "durable".into();
    let json = record.to_string().into_bytes();
    let mut head = bytes[..56].to_vec();
    head[12..16].copy_from_slice(&u32::try_from(json.len()).unwrap().to_be_bytes());
    head.extend_from_slice(&json);
    let digest = Sha256Hash::of(&head);
    let content = [&head, &digest.as_bytes()[..], &bytes[56 + length + 32..]].concat();
    fs::write(&path, content).unwrap();

    let page = store.page(None, 10).await.unwrap();
    assert_eq!((page.records.len(), page.newer), (3, vec![records[1].id]));
    let mut run = place.begin(Options::default());
    let migration = migration(Arc::new(store), Arc::clone(&place.destination) as _);
    let report = migration.run(&mut run, &|| false).await.unwrap();
    assert_eq!((report.counts.copied, report.counts.failed, report.rounds), (2, 1, 2));
    assert!(report.failures[0].reason.contains("newest version"), "{:?}", report.failures);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_store_in_memory_was_given_wrongly_is_found() {
    let place = Place::new();
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.manifest_store = Bytes::from_static(b"of another one");
    place.source.put(&proof).await.unwrap();
    let (_, report) = place.run(Options::default()).await;
    assert_eq!((report.counts.failed, report.counts.copied), (1, 0));
    assert!(report.failures[0].reason.contains("manifest store"));
    assert!(contents(&*place.destination).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_one_at_the_destination_is_left() {
    let place = Place::new();
    let records = fill(&*place.source, 4).await;
    let folder = place.dir.path().join("proofs");
    let store = Arc::new(LocalProofStore::open(&folder).unwrap());
    store.put(&namesake(&records[1], "2025-01-01T00:00:00Z")).await.unwrap();
    let path = file_of(&folder, records[1].id);
    fs::write(&path, "nothing").unwrap();
    let mut run = place.begin(policy(OnConflict::OverwriteIfNewer));
    let migration = migration(Arc::clone(&place.source) as _, store);
    let report = migration.run(&mut run, &|| false).await.unwrap();
    assert_eq!((report.counts.copied, report.counts.failed), (3, 1));
    assert!(report.failures[0].reason.contains("cannot be read"));
    assert_eq!(fs::read(path).unwrap(), b"nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_not_changed_by_reading_it() {
    let place = Place::new();
    let folder = place.dir.path().join("proofs");
    fill(&LocalProofStore::open(&folder).unwrap(), 10).await;
    // What a killed process left stays.
    let left = folder.join("tmp").join("5b8bd1f2-6a43-4d0e-8f3a-0d6f3a1c2b4d");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("0-"), "half a proof").unwrap();
    let snapshot = || {
        let mut all: Vec<_> = walk(&folder)
            .into_iter()
            .map(|path| {
                let changed = fs::metadata(&path).unwrap().modified().unwrap();
                (path, changed)
            })
            .collect();
        all.sort();
        all
    };
    let before = snapshot();
    let store = Arc::new(LocalProofStore::open_for_reading(&folder).unwrap());
    let mut run = place.begin(Options::default());
    let migration = migration(store, Arc::clone(&place.destination) as _);
    assert_eq!(migration.run(&mut run, &|| false).await.unwrap().counts.copied, 10);
    assert_eq!(snapshot(), before);
    assert!(LocalProofStore::open_for_reading(place.dir.path().join("elsewhere")).is_err());
    assert!(!place.dir.path().join("elsewhere").exists());
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}
