mod faults;
mod reaping;
mod stamping;
mod sweeping;

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_aws::SdkConfig;
use credlink_local_aws::LocalAws;

use super::{item::Key, *};
use crate::{
    contract::{self, sample, time},
    statistics::ProofStatistics as _,
};

const NOW: &str = "2026-03-01T00:00:00Z";

/// A table and a bucket of a test's own, and a look past the store at what lies there.
struct Place {
    table: String,
    bucket: String,
}

impl Place {
    async fn fresh() -> Self {
        let aws = LocalAws::shared();
        Self { table: aws.make_table().await, bucket: aws.make_bucket().await }
    }

    fn store(&self) -> AwsProofStore {
        self.store_behind(&LocalAws::shared().sdk_config())
    }

    fn store_behind(&self, config: &SdkConfig) -> AwsProofStore {
        let dynamo = aws_sdk_dynamodb::Client::new(config);
        AwsProofStore::new(dynamo, &self.table, credlink_aws::s3(config), &self.bucket)
    }

    fn dynamo(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&LocalAws::shared().sdk_config())
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        credlink_aws::s3(&LocalAws::shared().sdk_config())
    }

    /// The names of all objects.
    async fn objects(&self) -> Vec<String> {
        let listed = self.s3().list_objects_v2().bucket(&self.bucket).send().await.unwrap();
        listed.contents.unwrap_or_default().into_iter().map(|object| object.key.unwrap()).collect()
    }

    /// The keys of all items, sorted.
    async fn items(&self) -> Vec<(String, String)> {
        let scanned = self.dynamo().scan().table_name(&self.table).send().await.unwrap();
        let keys = scanned.items().iter().map(|item| Key::of_item(item).unwrap());
        let mut keys: Vec<_> = keys.map(|key| (key.pk, key.sk)).collect();
        keys.sort();
        keys
    }

    /// The attributes `pk`, `record` and `blob` of a proof's record.
    async fn stored(&self, id: ProofId) -> (String, String, String) {
        let key = Key::of_record(id).to_attributes();
        let read = self.dynamo().get_item().table_name(&self.table).set_key(Some(key)).send().await.unwrap();
        let item = read.item.unwrap();
        let text = |name| text(&item, name).unwrap().to_owned();
        (text("pk"), text("record"), text("blob"))
    }

    /// Removes one item, as DynamoDB does when its time is over.
    async fn remove_item(&self, key: Key) {
        let key = key.to_attributes();
        self.dynamo().delete_item().table_name(&self.table).set_key(Some(key)).send().await.unwrap();
    }

    async fn remove_object(&self, key: &str) {
        self.s3().delete_object().bucket(&self.bucket).key(key).send().await.unwrap();
    }

    /// Replaces an attribute of a proof's record.
    async fn set(&self, id: ProofId, name: &str, value: &str) {
        self.dynamo()
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::of_record(id).to_attributes()))
            .update_expression("SET #name = :value")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", AttributeValue::S(value.to_owned()))
            .send()
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    contract::verify(async || Arc::new(Place::fresh().await.store()) as Arc<dyn ProofStore>).await;
}

#[tokio::test]
async fn keeps_the_contract_of_a_catalogue() {
    contract::verify_catalogue(async || Arc::new(Place::fresh().await.store()) as _).await;
}

#[tokio::test]
async fn nothing_is_counted_that_would_read_the_whole_table() {
    assert_eq!(Place::fresh().await.store().census(time(NOW)).await.unwrap(), None);
}

#[tokio::test]
async fn a_proof_is_two_items_and_an_object() {
    let place = Place::fresh().await;
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.record.expires_at = time("2026-02-01T00:00:00.001Z");
    let id = proof.record.id;
    place.store().put(&proof).await.unwrap();

    let look_up = (format!("image#{}", proof.record.image_hash), format!("2026-01-01T00:00:00.000Z#{id}"));
    assert_eq!(place.items().await, [look_up, (format!("proof#{id}"), "record".to_owned())]);
    let (_, record, blob) = place.stored(id).await;
    assert_eq!(serde_json::from_str::<ProofRecord>(&record).unwrap(), proof.record);
    assert!(blob.starts_with(&format!("manifests/{id}/")), "{blob}");
    assert_eq!(place.objects().await, [blob.as_str()]);
    let object = place.s3().get_object().bucket(&place.bucket).key(blob).send().await.unwrap();
    assert_eq!(object.content_type(), Some("application/c2pa"));
    assert!(object.cache_control().unwrap().contains("immutable"));
    let scanned = place.dynamo().scan().table_name(&place.table).send().await.unwrap();
    let last_second = time("2026-02-01T00:00:00Z").unix_seconds();
    for item in scanned.items() {
        let ttl: i64 = item["ttl"].as_n().unwrap().parse().unwrap();
        assert!(ttl > last_second, "removed at {ttl}, valid in {last_second}");
    }
}

#[tokio::test]
async fn a_deletion_leaves_nothing() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    store.put(&proof).await.unwrap();
    assert!(store.delete(proof.record.id).await.unwrap());
    assert!(place.items().await.is_empty() && place.objects().await.is_empty());
}

#[tokio::test]
async fn a_refused_put_leaves_nothing() {
    let place = Place::fresh().await;
    let (store, first) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    store.put(&first).await.unwrap();
    let (items, objects) = (place.items().await, place.objects().await);
    let mut second = sample(b"another image", "2026-01-02T00:00:00Z");
    second.record.id = first.record.id;
    assert!(matches!(store.put(&second).await, Err(ProofStoreError::AlreadyExists(_))));
    assert_eq!((place.items().await, place.objects().await), (items, objects));
}

#[tokio::test]
async fn what_no_item_can_hold_is_refused() {
    let place = Place::fresh().await;
    let mut proof = sample(b"image", "2026-01-01T00:00:00Z");
    proof.record.uri = "x".repeat(400 << 10);
    assert!(matches!(place.store().put(&proof).await, Err(ProofStoreError::Damaged { .. })));
    assert!(place.items().await.is_empty());
}

#[tokio::test]
async fn a_missing_manifest_store_is_damage() {
    let place = Place::fresh().await;
    let (store, proof) = (place.store(), sample(b"image", "2026-01-01T00:00:00Z"));
    let id = proof.record.id;
    store.put(&proof).await.unwrap();
    place.remove_object(&place.stored(id).await.2).await;
    assert!(
        matches!(store.proof(id, time(NOW)).await, Err(ProofStoreError::Damaged { id: of, .. }) if of == id)
    );
    assert_eq!(store.record(id, time(NOW)).await.unwrap(), Some(proof.record));
}

#[tokio::test]
async fn a_damaged_record_is_reported_and_can_be_deleted() {
    let place = Place::fresh().await;
    let store = place.store();
    let other = sample(b"image", "2026-01-01T00:00:00Z");
    store.put(&other).await.unwrap();
    let of_other = place.stored(other.record.id).await;
    for (name, value) in
        [("record", "{"), ("record", &of_other.1), ("blob", &of_other.2), ("blob", "manifests/")]
    {
        let proof = sample(b"another image", "2026-01-01T00:00:00Z");
        let id = proof.record.id;
        store.put(&proof).await.unwrap();
        place.set(id, name, value).await;
        for read in [store.record(id, time(NOW)).await.map(drop), store.proof(id, time(NOW)).await.map(drop)]
        {
            assert!(
                matches!(read, Err(ProofStoreError::Damaged { id: of, .. }) if of == id),
                "{name}: {value}"
            );
        }
        assert!(store.delete(id).await.unwrap());
        assert_eq!(store.record(id, time(NOW)).await.unwrap(), None);
    }
    assert_eq!(store.proof(other.record.id, time(NOW)).await.unwrap(), Some(other));
}

#[tokio::test]
async fn a_record_that_says_more_is_listed_as_newer() {
    let place = Place::fresh().await;
    contract::a_record_that_says_more_is_listed_as_newer(&place.store(), async |id| {
        let (_, record, _) = place.stored(id).await;
        place.set(id, "record", &record.replacen('{', r#"{"watermark":1,"#, 1)).await;
    })
    .await;
}

#[tokio::test]
async fn a_table_that_is_missing_fails_the_check() {
    let place = Place { table: "missing".to_owned(), bucket: "missing".to_owned() };
    let Err(ProofStoreError::Unavailable(reason)) = place.store().check().await else { panic!() };
    assert!(reason.contains("ResourceNotFoundException"), "{reason}");
}
