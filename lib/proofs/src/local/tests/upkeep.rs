//! What the cleanup does in a folder, beyond what every upkeep does.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use super::*;
use crate::{
    local::layout::{IndexEntry, Layout},
    upkeep::{Finding, Sweep, Tally, Upkeep as _},
};

/// Three days after the tests run: what they write is old then.
fn later() -> Timestamp {
    Timestamp::new(SystemTime::now().into()).plus_days(3)
}

fn lasting(image: &[u8]) -> Proof {
    let mut proof = sample(image, "2026-01-01T00:00:00Z");
    proof.record.expires_at = time("9999-01-01T00:00:00Z");
    proof
}

fn entry_of(folder: &Path, proof: &Proof) -> PathBuf {
    Layout::new(folder).entry(IndexEntry::of(&proof.record))
}

/// All files and what they hold, and the folders.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut seen = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
                seen.insert(path, None);
            } else {
                seen.insert(path.clone(), Some(fs::read(&path).unwrap()));
            }
        }
    }
    seen
}

/// Makes the file so many days older.
fn age(path: &Path, days: u64) {
    let written = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
    fs::File::options().append(true).open(path).unwrap().set_modified(written).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_an_upkeep() {
    let dir = tempfile::tempdir().unwrap();
    let next = AtomicUsize::new(0);
    contract::verify_upkeep(async || {
        let fresh = dir.path().join(next.fetch_add(1, Ordering::Relaxed).to_string());
        contract::Kept {
            proofs: Arc::new(LocalProofStore::open(&fresh).unwrap()),
            upkeep: Box::new(move || Arc::new(LocalProofStore::open(&fresh).unwrap())),
        }
    })
    .await;
    for store in fs::read_dir(dir.path()).unwrap() {
        assert_tidy(&store.unwrap().path());
    }
}

#[tokio::test]
async fn a_dry_run_changes_no_byte() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    let mut lost = None;
    for n in 0..20 {
        store.put(&sample(format!("image {n}").as_bytes(), "2019-01-01T00:00:00Z")).await.unwrap();
        let proof = lasting(format!("image {n}").as_bytes());
        store.put(&proof).await.unwrap();
        lost = Some(proof);
    }
    let lost = lost.unwrap();
    fs::remove_file(proof_file(dir.path(), lost.record.id)).unwrap();
    let dead = dir.path().join("tmp/a-dead-session");
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    fs::write(dead.join("3-"), "half").unwrap();

    let before = snapshot(dir.path());
    let dry = contract::sweep_through(&store, Sweep::new(later(), true)).await;
    assert_eq!(snapshot(dir.path()), before);
    assert_eq!((dry.expired_proofs_removed, dry.orphan_look_ups_removed), (20, 1));
    assert_eq!((dry.temporary_files_removed, dry.proofs.valid), (1, 19));
    assert_eq!(contract::sweep_through(&store, Sweep::new(later(), false)).await, dry);
    assert_tidy(dir.path());
}

#[tokio::test]
async fn look_ups_without_their_proof_go_when_they_are_old() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    let (old, young, replaced) = (lasting(b"image"), lasting(b"image"), lasting(b"image"));
    for proof in [&old, &young, &replaced] {
        store.put(proof).await.unwrap();
        fs::remove_file(proof_file(dir.path(), proof.record.id)).unwrap();
    }
    let mut again = replaced.clone();
    again.record.image_hash = Sha256Hash::of(b"another image");
    store.put(&again).await.unwrap();
    age(&entry_of(dir.path(), &old), 2);
    age(&entry_of(dir.path(), &replaced), 2);

    let now = Timestamp::new(SystemTime::now().into());
    let tally = contract::sweep_through(&store, Sweep::new(now, false)).await;
    assert_eq!((tally.orphan_look_ups_removed, tally.proofs.valid), (2, 1));
    assert!(entry_of(dir.path(), &young).exists());
    let found = store.find_by_image_hash(again.record.image_hash, now).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&again.record));
    let tally = contract::sweep_through(&store, Sweep::new(later(), false)).await;
    assert_eq!((tally.orphan_look_ups_removed, tally.proofs.valid), (1, 1));
    assert_tidy(dir.path());
}

/// A copy that did not keep hard links: each name is a file of its own.
#[tokio::test]
async fn a_copy_of_the_folder_is_cleaned_up_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let (original, copy) = (dir.path().join("original"), dir.path().join("copy"));
    let store = LocalProofStore::open(&original).unwrap();
    let kept = lasting(b"image");
    store.put(&kept).await.unwrap();
    store.put(&sample(b"image", "2019-01-01T00:00:00Z")).await.unwrap();
    drop(store);
    for (path, content) in snapshot(&original) {
        let path = copy.join(path.strip_prefix(&original).unwrap());
        match content {
            None => fs::create_dir_all(path).unwrap(),
            Some(content) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
        }
    }
    let store = LocalProofStore::open(&copy).unwrap();
    let tally = contract::sweep_through(&store, Sweep::new(later(), false)).await;
    assert_eq!((tally.expired_proofs_removed, tally.orphan_look_ups_removed, tally.proofs.valid), (1, 0, 1));
    assert_eq!(store.find_by_image_hash(kept.record.image_hash, later()).await.unwrap(), [kept.record]);
    assert_tidy(&copy);
}

#[tokio::test]
async fn damaged_proofs_are_reported_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    let damaged = sample(b"image", "2019-01-01T00:00:00Z");
    let cut_off = sample(b"image", "2019-01-01T00:00:00Z");
    store.put(&damaged).await.unwrap();
    store.put(&cut_off).await.unwrap();
    fs::write(proof_file(dir.path(), damaged.record.id), "nothing").unwrap();
    let file = fs::File::options().write(true).open(proof_file(dir.path(), cut_off.record.id)).unwrap();
    file.set_len(700).unwrap();
    fs::write(dir.path().join("by-id/notes.txt"), "mine").unwrap();
    fs::write(dir.path().join("by-hash/notes.txt"), "mine").unwrap();
    drop(store);

    let store = LocalProofStore::open(dir.path()).unwrap();
    let before = snapshot(dir.path());
    let tally = contract::sweep_through(&store, Sweep::new(later(), false)).await;
    assert_eq!(snapshot(dir.path()), before);
    let mut ids = tally.damaged_proofs.ids.clone();
    ids.sort_unstable();
    let mut expected = vec![damaged.record.id, cut_off.record.id];
    expected.sort_unstable();
    assert_eq!(ids, expected);
    let damaged_proofs = Finding { count: 2, ids: tally.damaged_proofs.ids.clone() };
    assert_eq!(tally, Tally { damaged_proofs, ..Tally::default() });
}

#[tokio::test]
async fn what_cannot_be_removed_is_a_fault_and_does_not_stop_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    let (stuck, other) = (sample(b"image", "2019-01-01T00:00:00Z"), sample(b"image", "2019-01-01T00:00:00Z"));
    store.put(&stuck).await.unwrap();
    store.put(&other).await.unwrap();
    // A folder in the place of a name, which cannot be removed like a file, whoever tries.
    let entry = entry_of(dir.path(), &stuck);
    fs::remove_file(&entry).unwrap();
    fs::create_dir(&entry).unwrap();
    let page = store.sweep_page(Sweep::new(later(), false), Some("by-id/")).await.unwrap();
    assert_eq!((page.faults.count, page.tally.expired_proofs_removed), (1, 1));
    let first = page.faults.first.unwrap();
    assert!(first.contains(&stuck.record.id.to_string()), "{first}");
}
