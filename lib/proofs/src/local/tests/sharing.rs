//! Several stores, and so several processes, on one folder.

use super::*;
use crate::local::layout::{IndexEntry, Layout};

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn two_stores_and_eight_tasks_share_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [(); 2].map(|()| LocalProofStore::open(dir.path()).unwrap());
    // Each proof is put by all tasks, and every third one is deleted by all tasks once it was put.
    let proofs: Arc<Vec<Proof>> = Arc::new(
        (0..40).map(|n| sample(format!("image {}", n / 2).as_bytes(), "2026-01-01T00:00:00Z")).collect(),
    );
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (store, proofs) = (stores[task % 2].clone(), Arc::clone(&proofs));
            tokio::spawn(async move {
                let (mut put, mut deleted) = (0, 0);
                for (n, proof) in proofs.iter().enumerate() {
                    let id = proof.record.id;
                    match store.put(proof).await {
                        Ok(()) => put += 1,
                        Err(ProofStoreError::AlreadyExists(of)) => assert_eq!(of, id),
                        Err(error) => panic!("{error}"),
                    }
                    if n % 3 == 0 {
                        deleted += usize::from(store.delete(id).await.unwrap());
                        continue;
                    }
                    assert_eq!(store.proof(id, time(NOW)).await.unwrap().as_ref(), Some(proof));
                    let found = store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap();
                    assert!(found.contains(&proof.record));
                }
                (put, deleted)
            })
        })
        .collect();
    let (mut put, mut deleted) = (0, 0);
    for task in tasks {
        let (p, d) = task.await.unwrap();
        put += p;
        deleted += d;
    }
    let left = stores[0].ids_after(None, usize::MAX).await.unwrap();
    let kept = proofs.iter().enumerate().filter(|(n, _)| n % 3 != 0).count();
    assert_eq!(put - deleted, kept, "every proof that came and did not go is there");
    assert_eq!(left.len(), kept);
    assert_tidy(dir.path());
}

#[tokio::test]
async fn opening_leaves_the_temporary_files_of_the_living() {
    let dir = tempfile::tempdir().unwrap();
    let living = LocalProofStore::open(dir.path()).unwrap();
    living.check().await.unwrap();
    let session = fs::read_dir(dir.path().join("tmp")).unwrap().next().unwrap().unwrap().path();
    let on_its_way = session.join("99-");
    fs::write(&on_its_way, "half").unwrap();

    let other = LocalProofStore::open(dir.path()).unwrap();
    other.put(&sample(b"image", "2026-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(temporary_files(dir.path()), [on_its_way]);

    drop(living);
    drop(LocalProofStore::open(dir.path()).unwrap());
    assert_tidy(dir.path());
}

#[tokio::test]
async fn a_session_ends_with_its_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0, "reading begins no session");
    store.check().await.unwrap();
    let clone = store.clone();
    drop(store);
    clone.check().await.unwrap();
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 1);
    drop(clone);
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_goes_on_when_somebody_empties_the_folder_of_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    store.put(&sample(b"image", "2026-01-01T00:00:00Z")).await.unwrap();
    for session in fs::read_dir(dir.path().join("tmp")).unwrap() {
        fs::remove_dir_all(session.unwrap().path()).unwrap();
    }
    store.put(&sample(b"image", "2026-01-02T00:00:00Z")).await.unwrap();
}

#[tokio::test]
async fn an_index_entry_without_its_proof_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    let proof = sample(b"image", "2026-01-01T00:00:00Z");
    let mut other = sample(b"another image", "2026-01-01T00:00:00Z");
    other.record.id = proof.record.id;
    store.put(&proof).await.unwrap();
    // What a power cut may leave: the entry of a proof that is not there, or that says otherwise.
    let entry = Layout::new(dir.path()).entry(IndexEntry::of(&proof.record));
    fs::remove_file(proof_file(dir.path(), proof.record.id)).unwrap();
    assert!(entry.exists());
    assert_eq!(store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap(), []);
    store.put(&other).await.unwrap();
    assert_eq!(store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap(), []);
    assert_eq!(store.find_by_image_hash(other.record.image_hash, time(NOW)).await.unwrap(), [other.record]);
}
