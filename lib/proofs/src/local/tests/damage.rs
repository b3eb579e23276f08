//! Damaged files, folders that do not work, and what they must not pull down with them.

use super::*;

/// A store with a damaged and a sound proof of one image.
struct Scene {
    dir: tempfile::TempDir,
    store: LocalProofStore,
    damaged: Proof,
    sound: Proof,
}

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalProofStore::open(dir.path()).unwrap();
        let damaged = sample(b"image", "2026-01-02T00:00:00Z");
        let sound = sample(b"image", "2026-01-01T00:00:00Z");
        store.put(&damaged).await.unwrap();
        store.put(&sound).await.unwrap();
        Self { dir, store, damaged, sound }
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(proof_file(self.dir.path(), self.damaged.record.id)).unwrap()
    }

    fn replace(&self, bytes: &[u8]) {
        fs::write(proof_file(self.dir.path(), self.damaged.record.id), bytes).unwrap();
    }

    async fn reason(&self) -> String {
        match self.store.proof(self.damaged.record.id, time(NOW)).await {
            Err(ProofStoreError::Damaged { id, reason }) if id == self.damaged.record.id => reason,
            other => panic!("not called damaged: {other:?}"),
        }
    }

    async fn assert_that_the_other_proof_is_found(&self) {
        let record = &self.sound.record;
        assert_eq!(self.store.proof(record.id, time(NOW)).await.unwrap().as_ref(), Some(&self.sound));
        let found = self.store.find_by_image_hash(record.image_hash, time(NOW)).await.unwrap();
        assert!(found.contains(record));
    }
}

#[tokio::test]
async fn a_changed_byte_is_noticed_wherever_it_is() {
    let scene = Scene::new().await;
    let bytes = scene.bytes();
    let record_ends = bytes.len() - scene.damaged.manifest_store.len();
    let head = 0..record_ends + 10;
    let rest = (record_ends..bytes.len()).step_by(97).chain([bytes.len() - 1]);
    for at in head.chain(rest) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        scene.replace(&changed);
        scene.reason().await;
        let record = scene.store.record(scene.damaged.record.id, time(NOW)).await;
        assert_eq!(record.is_err(), at < record_ends, "byte {at}");
    }
    scene.assert_that_the_other_proof_is_found().await;
    scene.replace(&bytes);
    assert_eq!(scene.store.proof(scene.damaged.record.id, time(NOW)).await.unwrap(), Some(scene.damaged));
}

#[tokio::test]
async fn a_file_cut_off_or_lengthened_anywhere_is_noticed() {
    let scene = Scene::new().await;
    let bytes = scene.bytes();
    let lengths = (0..700).chain((700..bytes.len()).step_by(101));
    for length in lengths {
        scene.replace(&bytes[..length]);
        scene.reason().await;
        assert!(scene.store.record(scene.damaged.record.id, time(NOW)).await.is_err(), "{length} bytes");
    }
    scene.replace(&[bytes.as_slice(), b"\0"].concat());
    assert!(scene.reason().await.contains("instead of"));
    scene.assert_that_the_other_proof_is_found().await;
}

#[tokio::test]
async fn lengths_that_lie_allocate_nothing() {
    let scene = Scene::new().await;
    for lie in [[0xff; 12].as_slice(), &[0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], &[0; 12]] {
        let mut bytes = scene.bytes();
        bytes[12..24].copy_from_slice(lie);
        scene.replace(&bytes);
        scene.reason().await;
    }
}

#[tokio::test]
async fn a_newer_format_is_named() {
    let scene = Scene::new().await;
    let mut bytes = scene.bytes();
    bytes[8..12].copy_from_slice(&7_u32.to_be_bytes());
    scene.replace(&bytes);
    let reason = scene.reason().await;
    assert!(reason.contains("format 7") && reason.contains("newer"), "{reason}");
    scene.assert_that_the_other_proof_is_found().await;
}

#[tokio::test]
async fn fields_that_a_later_version_adds_are_ignored() {
    let scene = Scene::new().await;
    let bytes = scene.bytes();
    let mut json = serde_json::to_value(&scene.damaged.record).unwrap();
    json["addedLater"] = serde_json::json!({ "a": [1] });
    let json = json.to_string();
    let mut changed = bytes[..56].to_vec();
    changed[12..16].copy_from_slice(&u32::try_from(json.len()).unwrap().to_be_bytes());
    changed.extend_from_slice(json.as_bytes());
    let digest = Sha256Hash::of(&changed);
    changed.extend_from_slice(digest.as_bytes());
    changed.extend_from_slice(&scene.damaged.manifest_store);
    scene.replace(&changed);
    assert_eq!(scene.store.proof(scene.damaged.record.id, time(NOW)).await.unwrap(), Some(scene.damaged));
}

#[tokio::test]
async fn the_file_of_another_proof_is_noticed() {
    let scene = Scene::new().await;
    let other = fs::read(proof_file(scene.dir.path(), scene.sound.record.id)).unwrap();
    scene.replace(&other);
    assert!(scene.reason().await.contains(&scene.sound.record.id.to_string()));
}

#[tokio::test]
async fn a_damaged_proof_can_be_deleted_with_all_it_owns() {
    let scene = Scene::new().await;
    scene.replace(b"nothing");
    assert!(scene.store.delete(scene.damaged.record.id).await.unwrap());
    assert!(!scene.store.delete(scene.damaged.record.id).await.unwrap());
    assert_tidy(scene.dir.path());
    scene.assert_that_the_other_proof_is_found().await;
}

#[tokio::test]
async fn a_proof_over_a_limit_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.record.uri = "x".repeat(file::MAX_RECORD_LENGTH);
    assert!(store.put(&proof).await.unwrap_err().to_string().contains("limit"));
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.manifest_store = vec![0; file::MAX_MANIFEST_STORE_LENGTH + 1].into();
    assert!(store.put(&proof).await.unwrap_err().to_string().contains("limit"));
    assert_eq!(store.ids_after(None, 1).await.unwrap(), []);
    assert_tidy(dir.path());
}

#[tokio::test]
async fn a_record_longer_than_the_first_read_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = LocalProofStore::open(dir.path()).unwrap();
    for length in (3000..4200).step_by(50).chain([60_000]) {
        let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
        proof.record.uri = "x".repeat(length);
        store.put(&proof).await.unwrap();
        assert_eq!(store.record(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(&proof.record));
        assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap(), Some(proof));
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let occupied = dir.path().join("file");
    fs::write(&occupied, "").unwrap();
    let refused = LocalProofStore::open(&occupied).unwrap_err();
    assert!(matches!(&refused, ProofStoreError::Unavailable(reason) if reason.contains("file")), "{refused}");
}

#[tokio::test]
async fn a_folder_that_stops_working_is_named_and_shows_nothing_half() {
    for broken in ["tmp", "by-hash", "by-id"] {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalProofStore::open(dir.path()).unwrap();
        store.check().await.unwrap();
        let part = dir.path().join(broken);
        fs::remove_dir_all(&part).unwrap();
        fs::write(&part, "").unwrap();

        let proof = sample(b"image", "2026-01-01T00:00:00Z");
        for failure in [store.put(&proof).await.unwrap_err(), store.check().await.unwrap_err()] {
            assert!(
                matches!(&failure, ProofStoreError::Unavailable(reason) if reason.contains(broken)),
                "{failure}"
            );
        }
        fs::remove_file(&part).unwrap();
        let store = LocalProofStore::open(dir.path()).unwrap();
        assert_eq!(store.ids_after(None, 1).await.unwrap(), []);
        assert_tidy(dir.path());
        store.put(&proof).await.unwrap();
    }
}

#[tokio::test]
async fn a_proof_can_be_deleted_where_nothing_can_be_written() {
    let scene = Scene::new().await;
    let sessions = scene.dir.path().join("tmp");
    fs::remove_dir_all(&sessions).unwrap();
    fs::write(&sessions, "").unwrap();
    assert!(scene.store.delete(scene.sound.record.id).await.unwrap());
    assert!(!scene.store.delete(scene.sound.record.id).await.unwrap());
    fs::remove_file(&sessions).unwrap();
    fs::create_dir(&sessions).unwrap();
    assert_tidy(scene.dir.path());
}
