mod damage;
mod killed;
mod killed_cleanup;
mod sharing;
mod upkeep;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;
use crate::contract::{self, sample, time};

const NOW: &str = "2026-03-01T00:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let next = AtomicUsize::new(0);
    contract::verify(async || {
        let fresh = dir.path().join(next.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(LocalProofStore::open(fresh).unwrap()) as Arc<dyn ProofStore>
    })
    .await;
    for store in fs::read_dir(dir.path()).unwrap() {
        assert_tidy(&store.unwrap().path());
    }
}

#[tokio::test]
async fn keeps_the_contract_of_a_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let next = AtomicUsize::new(0);
    contract::verify_catalogue(async || {
        let fresh = dir.path().join(next.fetch_add(1, Ordering::Relaxed).to_string());
        Arc::new(LocalProofStore::open(fresh).unwrap()) as _
    })
    .await;
}

#[tokio::test]
async fn keeps_the_contract_of_statistics() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalProofStore::open(dir.path()).unwrap());
    contract::verify_statistics(Arc::clone(&store) as _, store).await;
}

#[tokio::test]
async fn proofs_outlive_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("made/on/the/way");
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    LocalProofStore::open(&folder).unwrap().put(&proof).await.unwrap();
    let store = LocalProofStore::open(&folder).unwrap();
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(&proof));
    assert_eq!(store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap(), [proof.record]);
}

#[tokio::test]
async fn the_pages_of_ids_hold_every_proof_once_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    assert_eq!(store.ids_after(None, 10).await.unwrap(), []);
    let mut expected = BTreeSet::new();
    for n in 0..60 {
        let mut proof = sample(format!("image {n}").as_bytes(), "2026-01-01T00:00:00Z");
        if n % 3 == 0 {
            // Neighbours in one shard.
            proof.record.id = format!("0f0e0d0c-0b0a-4908-8706-0504030201{n:02x}").parse().unwrap();
        }
        store.put(&proof).await.unwrap();
        expected.insert(proof.record.id);
    }
    for limit in [1, 7, 60, 61, usize::MAX] {
        let mut ids = Vec::new();
        loop {
            let page = store.ids_after(ids.last().copied(), limit).await.unwrap();
            ids.extend_from_slice(&page);
            if page.len() < limit {
                break;
            }
        }
        assert!(ids.iter().eq(&expected), "pages of {limit}");
    }
    assert_eq!(store.ids_after(None, 0).await.unwrap(), []);
}

/// Every proof has exactly its one index entry, no entry and no stamped copy lacks its proof, and nothing temporary is
/// left of this or any dead process.
fn assert_tidy(folder: &Path) {
    let files = |part: &str| -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for shard in fs::read_dir(folder.join(part)).unwrap() {
            for file in fs::read_dir(shard.unwrap().path()).unwrap() {
                names.insert(file.unwrap().file_name().into_string().unwrap());
            }
        }
        names
    };
    let (stamped, proofs): (Vec<String>, Vec<String>) =
        files("by-id").into_iter().partition(|name| name.ends_with(".stamped"));
    let proofs: Vec<String> =
        proofs.iter().map(|name| name.strip_suffix(".proof").unwrap().to_owned()).collect();
    for name in stamped {
        assert!(proofs.iter().any(|proof| name == format!("{proof}.stamped")), "{name} has no proof");
    }
    let mut indexed: Vec<String> =
        files("by-hash").iter().map(|name| name.rsplit('.').next().unwrap().to_owned()).collect();
    indexed.sort_unstable();
    assert_eq!(proofs, indexed);
    assert_eq!(temporary_files(folder), Vec::<PathBuf>::new());
}

/// What stands in `tmp`, without the locks of the living.
fn temporary_files(folder: &Path) -> Vec<PathBuf> {
    let mut left = Vec::new();
    for session in fs::read_dir(folder.join("tmp")).unwrap() {
        for file in fs::read_dir(session.unwrap().path()).unwrap() {
            left.push(file.unwrap().path());
        }
    }
    left.retain(|path| !path.ends_with("lock"));
    left
}

/// The file of this proof.
fn proof_file(folder: &Path, id: ProofId) -> PathBuf {
    let id = id.to_string();
    folder.join("by-id").join(&id[..3]).join(format!("{id}.proof"))
}
