mod faults;
mod killed;
mod sweeping;

use std::sync::Arc;

use credlink_aws::SdkConfig;
use credlink_local_aws::LocalAws;
use credlink_pipeline::proof::ProofCatalogue as _;

use super::*;
use crate::{
    contract::{self, sample, time},
    statistics::ProofStatistics as _,
};

const NOW: &str = "2026-03-01T00:00:00Z";

const PREFIX: &str = "of/us";

/// A bucket of a test's own, and a look past the store at what lies there.
struct Place {
    bucket: String,
}

impl Place {
    async fn fresh() -> Self {
        Self { bucket: LocalAws::shared().make_bucket().await }
    }

    fn store(&self) -> S3ProofStore {
        self.store_behind(&LocalAws::shared().sdk_config())
    }

    fn store_behind(&self, config: &SdkConfig) -> S3ProofStore {
        S3ProofStore::at(config, &self.bucket, PREFIX)
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        credlink_aws::s3(&LocalAws::shared().sdk_config())
    }

    /// The names of all objects, sorted; those of the store without the prefix.
    async fn objects(&self) -> Vec<String> {
        let mut names = Vec::new();
        let (client, mut more) = (self.s3(), None::<String>);
        loop {
            let wish = client.list_objects_v2().bucket(&self.bucket).set_start_after(more);
            let listed = wish.send().await.unwrap().contents.unwrap_or_default();
            more = listed.last().and_then(|object| object.key.clone());
            names.extend(listed.into_iter().map(|object| object.key.unwrap()));
            if more.is_none() {
                break;
            }
        }
        let own = format!("{PREFIX}/");
        names.into_iter().map(|name| name.strip_prefix(&own).unwrap_or(&name).to_owned()).collect()
    }

    /// The object with the manifest store of a proof.
    async fn blob(&self, id: ProofId) -> String {
        self.store().records.stored(id).await.unwrap().unwrap().entry.unwrap().blob
    }

    async fn write(&self, key: &str, content: &str) {
        let (key, content) = (format!("{PREFIX}/{key}"), content.as_bytes().to_vec());
        self.s3().put_object().bucket(&self.bucket).key(key).body(content.into()).send().await.unwrap();
    }

    async fn read(&self, key: &str) -> String {
        let key = format!("{PREFIX}/{key}");
        let object = self.s3().get_object().bucket(&self.bucket).key(key).send().await.unwrap();
        String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
    }

    async fn remove(&self, key: &str) {
        let key = format!("{PREFIX}/{key}");
        self.s3().delete_object().bucket(&self.bucket).key(key).send().await.unwrap();
    }
}

/// A stamped copy, and what is kept of it.
fn stamped() -> (StampedCopy, Bytes) {
    let store = Bytes::from_static(b"stamped manifest store");
    let time = time("2026-02-01T00:00:00Z");
    (StampedCopy { manifest_hash: Sha256Hash::of(&store), time, stamped_at: time }, store)
}

async fn assert_visible(place: &Place, proof: &Proof) {
    let store = place.store();
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap().as_ref(), Some(proof));
    let found = store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&proof.record));
}

async fn assert_invisible(place: &Place, proof: &Proof) {
    let store = place.store();
    assert_eq!(store.proof(proof.record.id, time(NOW)).await.unwrap(), None);
    assert_eq!(store.find_by_image_hash(proof.record.image_hash, time(NOW)).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    contract::verify(async || Arc::new(Place::fresh().await.store()) as Arc<dyn ProofStore>).await;
}

#[tokio::test]
async fn keeps_the_contract_of_a_catalogue() {
    contract::verify_catalogue(async || Arc::new(Place::fresh().await.store()) as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_an_upkeep() {
    contract::verify_upkeep(async || {
        let place = Place::fresh().await;
        contract::Kept { proofs: Arc::new(place.store()), upkeep: Box::new(move || Arc::new(place.store())) }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_counted_that_would_list_the_whole_bucket() {
    assert_eq!(Place::fresh().await.store().census(time(NOW)).await.unwrap(), None);
}

#[tokio::test]
async fn a_proof_is_three_objects_and_its_stamped_copy_one_more() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    let (id, hash) = (proof.record.id, proof.record.image_hash);
    store.put(&proof).await.unwrap();
    let blob = place.blob(id).await;
    let look_up = PutName::of_blob(&blob).unwrap().look_up();
    assert!(blob.starts_with(&format!("manifests/{id}/")) && look_up.starts_with(&format!("images/{hash}/")));
    assert_eq!(place.objects().await, [look_up.as_str(), &blob, &format!("records/{id}")]);

    let object = place.s3().get_object().bucket(&place.bucket).key(format!("{PREFIX}/{blob}"));
    let object = object.send().await.unwrap();
    assert_eq!(object.content_type(), Some("application/c2pa"));
    assert!(object.cache_control().unwrap().contains("immutable"));

    let (copy, content) = stamped();
    assert!(store.keep_stamped(&proof.record, copy, content).await.unwrap());
    let stamped = format!("{blob}.{}", copy.manifest_hash);
    assert_eq!(place.objects().await, [look_up, blob, stamped, format!("records/{id}")]);
    assert!(store.delete(id).await.unwrap());
    assert_eq!(place.objects().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_refused_or_replaced_leaves_nothing() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    store.put(&proof).await.unwrap();
    let objects = place.objects().await;
    assert!(matches!(store.put(&proof).await, Err(ProofStoreError::AlreadyExists(_))));
    assert_eq!(place.objects().await, objects);

    let (copy, content) = stamped();
    assert!(store.keep_stamped(&proof.record, copy, content.clone()).await.unwrap());
    let with_copy = place.objects().await;
    let later = Bytes::from_static(b"stamped later");
    let other = StampedCopy { manifest_hash: Sha256Hash::of(&later), ..copy };
    assert!(!store.keep_stamped(&proof.record, other, later.clone()).await.unwrap());
    assert_eq!(place.objects().await, with_copy);
    let seen = store.record(proof.record.id, time(NOW)).await.unwrap().unwrap();
    assert!(store.keep_stamped(&seen, other, later).await.unwrap());
    let replaced = place.objects().await;
    assert!(replaced.len() == with_copy.len() && replaced != with_copy, "{replaced:?}");
}

#[tokio::test]
async fn what_no_record_can_hold_is_refused() {
    let place = Place::fresh().await;
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.record.uri = "x".repeat(400 << 10);
    assert!(matches!(place.store().put(&proof).await, Err(ProofStoreError::Damaged { .. })));
    assert_eq!(place.objects().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_manifest_store_or_copy_is_damage_and_the_record_is_not() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    let id = proof.record.id;
    store.put(&proof).await.unwrap();
    let (copy, content) = stamped();
    assert!(store.keep_stamped(&proof.record, copy, content).await.unwrap());
    let blob = place.blob(id).await;
    for exchanged in [Some("another"), None] {
        let key = format!("{blob}.{}", copy.manifest_hash);
        match exchanged {
            Some(content) => place.write(&key, content).await,
            None => place.remove(&key).await,
        }
        let read = store.stamped_store(id, time(NOW)).await;
        assert!(matches!(read, Err(ProofStoreError::Damaged { id: of, .. }) if of == id));
        assert_eq!(store.proof(id, time(NOW)).await.unwrap().unwrap().manifest_store, proof.manifest_store);
    }
    place.remove(&blob).await;
    let read = store.proof(id, time(NOW)).await;
    assert!(matches!(read, Err(ProofStoreError::Damaged { id: of, .. }) if of == id));
    assert_eq!(store.record(id, time(NOW)).await.unwrap().unwrap().image_hash, proof.record.image_hash);
}

#[tokio::test]
async fn a_damaged_record_is_reported_hides_no_other_and_can_be_deleted() {
    let place = Place::fresh().await;
    let (store, other) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    store.put(&other).await.unwrap();
    let of_other = format!(
        "{{\"record\":{},\"manifestStore\":\"{}\"}}",
        serde_json::to_string(&other.record).unwrap(),
        place.blob(other.record.id).await
    );
    let too_long = "x".repeat(400 << 10);
    for content in ["", "{", of_other.as_str(), &too_long] {
        let damaged = sample(b"image", "2026-01-02T00:00:00Z");
        let id = damaged.record.id;
        store.put(&damaged).await.unwrap();
        place.write(&format!("records/{id}"), content).await;
        for read in [store.record(id, time(NOW)).await.map(drop), store.proof(id, time(NOW)).await.map(drop)]
        {
            assert!(matches!(read, Err(ProofStoreError::Damaged { id: of, .. }) if of == id));
        }
        let found = store.find_by_image_hash(other.record.image_hash, time(NOW)).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&other.record));
        let page = store.page(None, 10).await.unwrap();
        assert_eq!((page.records, page.damaged), (vec![other.record.clone()], vec![id]));
        assert!(store.delete(id).await.unwrap());
        assert_eq!(store.record(id, time(NOW)).await.unwrap(), None);
    }
    assert_visible(&place, &other).await;
}

#[tokio::test]
async fn several_stores_share_a_bucket() {
    let place = Place::fresh().await;
    let config = LocalAws::shared().sdk_config();
    let proof = sample(b"image", "2019-01-01T00:00:00Z");
    let stores = [PREFIX, "of", "of/us/manifests", "of/us/records", "manifests"]
        .map(|prefix| S3ProofStore::at(&config, &place.bucket, prefix));
    for store in &stores {
        store.put(&proof).await.unwrap();
    }
    let later = Timestamp::new(std::time::SystemTime::now().into()).plus_days(3);
    for (swept, store) in stores.iter().enumerate() {
        let tally = contract::sweep_through(store, crate::upkeep::Sweep::new(later, false)).await;
        assert_eq!((tally.expired_proofs_removed, tally.orphan_manifest_stores_removed), (1, 0));
        for other in &stores[swept + 1..] {
            let before = time("2019-06-01T00:00:00Z");
            assert_eq!(other.proof(proof.record.id, before).await.unwrap().as_ref(), Some(&proof));
        }
    }
    assert_eq!(place.objects().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_record_that_says_more_is_listed_as_newer() {
    let place = Place::fresh().await;
    contract::a_record_that_says_more_is_listed_as_newer(&place.store(), async |id| {
        let key = format!("records/{id}");
        let record = place.read(&key).await;
        place.write(&key, &record.replacen(r#"{"record":{"#, r#"{"record":{"watermark":1,"#, 1)).await;
    })
    .await;
}

#[tokio::test]
async fn a_bucket_that_is_missing_fails_the_check() {
    let place = Place { bucket: "missing".to_owned() };
    let Err(ProofStoreError::Unavailable(reason)) = place.store().check().await else { panic!() };
    assert!(reason.contains("NoSuchBucket") && reason.contains("check the name of the bucket"), "{reason}");
}
