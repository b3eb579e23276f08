//! What every [`ApiKeyStore`] promises: that in memory, the folder, and DynamoDB on a local AWS.

use std::{collections::BTreeSet, fs};

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_local_aws::LocalAws;
use credlink_pipeline::timestamp::Timestamp;
use credlink_service::{
    api_keys::{ApiKey, ApiKeyStore, ApiKeyStoreError, LocalApiKeys, MemoryApiKeys, Scope},
    aws::api_keys::DynamoApiKeys,
};

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps_the_contract(&MemoryApiKeys::new()).await;
}

#[tokio::test]
async fn the_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    keeps_the_contract(&LocalApiKeys::new(folder.path().join("keys/api"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_keeps_the_contract() {
    keeps_the_contract(&dynamo().await.0).await;
}

async fn dynamo() -> (DynamoApiKeys, aws_sdk_dynamodb::Client, String) {
    let aws = LocalAws::shared();
    let (client, table) = (aws_sdk_dynamodb::Client::new(&aws.sdk_config()), aws.make_table().await);
    (DynamoApiKeys::new(client.clone(), &table), client, table)
}

async fn keeps_the_contract(store: &dyn ApiKeyStore) {
    assert_eq!(store.all().await.unwrap(), []);
    let first = key("first", "2026-01-01T00:00:00Z", None);
    let second = key("second", "2026-01-02T00:00:00Z", Some("2026-02-01T00:00:00Z"));
    assert_eq!(store.find(first.id).await.unwrap(), None);
    for key in [&second, &first] {
        store.add(key).await.unwrap();
        assert_eq!(store.find(key.id).await.unwrap().as_ref(), Some(key));
    }
    assert_eq!(store.all().await.unwrap(), [first.clone(), second.clone()], "oldest first");

    let (now, later) = (time("2026-01-03T00:00:00Z"), time("2026-01-04T00:00:00Z"));
    assert!(!store.revoke(key("unknown", "2026-01-01T00:00:00Z", None).id, now).await.unwrap());
    for at in [now, later] {
        assert!(store.revoke(first.id, at).await.unwrap());
        let revoked = ApiKey { revoked_at: Some(now), ..first.clone() };
        assert_eq!(store.find(first.id).await.unwrap(), Some(revoked), "it stays as it is");
    }
    assert_eq!(store.find(second.id).await.unwrap(), Some(second));
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalApiKeys::new(folder.path());
    let (one, other) = (key("one", "2026-01-01T00:00:00Z", None), key("other", "2026-01-01T00:00:00Z", None));
    store.add(&one).await.unwrap();
    let path = folder.path().join(format!("{}.json", one.id));
    for content in ["{", "", "\u{0}", &serde_json::to_string(&other).unwrap()] {
        fs::write(&path, content).unwrap();
        for failed in [store.find(one.id).await.map(drop), store.all().await.map(drop)] {
            let Err(ApiKeyStoreError::Damaged { place, .. }) = failed else { panic!("{content:?} is a key") };
            assert_eq!(place, path.display().to_string());
        }
    }
}

#[tokio::test]
async fn files_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("api");
    LocalApiKeys::new(&keys).add(&key("one", "2026-01-01T00:00:00Z", None)).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&keys), 0o700);
    for entry in fs::read_dir(&keys).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_item_is_named() {
    let (store, client, table) = dynamo().await;
    let one = key("one", "2026-01-01T00:00:00Z", None);
    store.add(&one).await.unwrap();
    let put = client.put_item().table_name(&table).item("pk", AttributeValue::S("apikey".to_owned()));
    put.item("sk", AttributeValue::S(one.id.to_string()))
        .item("record", AttributeValue::S("{".to_owned()))
        .send()
        .await
        .unwrap();
    let failed = store.find(one.id).await.unwrap_err().to_string();
    assert!(failed.contains(&one.id.to_string()), "{failed}");
}

fn key(name: &str, created: &str, expires: Option<&str>) -> ApiKey {
    ApiKey::generate(name.to_owned(), BTreeSet::from(Scope::ALL), time(created), expires.map(time)).unwrap().0
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}
