//! What every [`IdempotencyStore`] promises: that in memory, the folder, and DynamoDB on a local AWS.

use std::{fs, sync::Arc, time::Duration};

use credlink_local_aws::LocalAws;
use credlink_pipeline::{digest::Sha256Hash, timestamp::Timestamp};
use credlink_service::{
    aws::idempotency::DynamoIdempotency,
    idempotency::{Claim, Entry, IdempotencyKey, IdempotencyStore, LocalIdempotency, MemoryIdempotency},
};
use tokio::task::JoinSet;

const START: &str = "2026-03-01T10:00:00Z";
const HOLD: Duration = Duration::from_secs(35);

type Store = Arc<dyn IdempotencyStore>;

#[tokio::test]
async fn memory_keeps_the_contract() {
    let memory: Store = Arc::new(MemoryIdempotency::new());
    keeps_the_contract([Arc::clone(&memory), memory]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let store = || Arc::new(LocalIdempotency::new(folder.path().join("idempotency"))) as Store;
    keeps_the_contract([store(), store()]).await;
    for entry in fs::read_dir(folder.path().join("idempotency")).unwrap() {
        let part = entry.unwrap().path();
        for file in fs::read_dir(&part).into_iter().flatten() {
            let kept: serde_json::Value =
                serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
            assert!(kept["ttl"].as_i64().unwrap() > time("2026-03-02T10:00:00Z").unix_seconds(), "{kept}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_keeps_the_contract() {
    let aws = LocalAws::shared();
    let table = aws.make_table().await;
    let client = || aws_sdk_dynamodb::Client::new(&aws.sdk_config());
    let store = || Arc::new(DynamoIdempotency::new(client(), &table)) as Store;
    keeps_the_contract([store(), store()]).await;
    for item in client().scan().table_name(&table).send().await.unwrap().items() {
        assert!(item["pk"].as_s().unwrap().starts_with("idempotency#"), "{item:?}");
        let ttl: i64 = item["ttl"].as_n().unwrap().parse().unwrap();
        assert!(ttl > time("2026-03-02T10:00:00Z").unix_seconds(), "{item:?}");
    }
}

/// Both instances share what they keep.
async fn keeps_the_contract(stores: [Store; 2]) {
    what_is_done_is_done(&stores).await;
    who_holds_a_key_is_waited_for(&stores).await;
    who_died_is_replaced_under_the_same_id(&stores).await;
    who_gave_up_left_nothing(&stores).await;
    one_of_many_at_once_is_granted(&stores).await;
}

async fn what_is_done_is_done([one, two]: &[Store; 2]) {
    let (key, wanted) = (key("done"), entry(b"image", START));
    assert_eq!(one.claim(key, &wanted, time(START)).await.unwrap(), Claim::Granted(wanted.clone()));
    one.update(key, &Entry { held_until: None, ..wanted.clone() }).await.unwrap();
    for at in [START, "2026-03-02T09:59:59.999Z"] {
        let again = two.claim(key, &entry(b"image", at), time(at)).await.unwrap();
        assert_eq!(again, Claim::Done(wanted.proof));
        assert_eq!(two.claim(key, &entry(b"other", at), time(at)).await.unwrap(), Claim::OtherRequest);
    }
    let next = entry(b"other", "2026-03-02T10:00:00Z");
    let claim = two.claim(key, &next, time("2026-03-02T10:00:00Z")).await.unwrap();
    assert_eq!(claim, Claim::Granted(next), "a day later the key is free");
}

async fn who_holds_a_key_is_waited_for([one, two]: &[Store; 2]) {
    let (key, wanted) = (key("held"), entry(b"image", START));
    assert!(matches!(one.claim(key, &wanted, time(START)).await.unwrap(), Claim::Granted(_)));
    let busy = two.claim(key, &entry(b"image", START), time(START)).await.unwrap();
    assert_eq!(busy, Claim::Busy(time("2026-03-01T10:00:35Z")));
    assert_eq!(two.claim(key, &entry(b"other", START), time(START)).await.unwrap(), Claim::OtherRequest);
    let before = "2026-03-01T08:00:00Z";
    let claim = two.claim(key, &entry(b"image", before), time(before)).await.unwrap();
    assert!(matches!(claim, Claim::Granted(taken) if taken.proof == wanted.proof), "the clock went back");
}

async fn who_died_is_replaced_under_the_same_id([one, two]: &[Store; 2]) {
    let (key, dead) = (key("dead"), entry(b"image", START));
    one.claim(key, &dead, time(START)).await.unwrap();
    let later = "2026-03-01T10:00:35Z";
    let next = entry(b"image", later);
    let Claim::Granted(taken) = two.claim(key, &next, time(later)).await.unwrap() else { panic!() };
    assert_eq!((taken.proof, taken.holder), (dead.proof, next.holder));
    // The first one was only slow; it changes nothing any more.
    one.update(key, &Entry { held_until: None, ..dead.clone() }).await.unwrap();
    one.release(key, &dead).await.unwrap();
    let third = one.claim(key, &entry(b"image", later), time(later)).await.unwrap();
    assert!(matches!(third, Claim::Busy(_)), "{third:?}");
    two.update(key, &Entry { held_until: None, ..taken.clone() }).await.unwrap();
    assert_eq!(one.claim(key, &next, time(later)).await.unwrap(), Claim::Done(dead.proof));
}

async fn who_gave_up_left_nothing([one, two]: &[Store; 2]) {
    let (key, first) = (key("released"), entry(b"broken image", START));
    one.claim(key, &first, time(START)).await.unwrap();
    one.release(key, &first).await.unwrap();
    let corrected = entry(b"image", START);
    assert_eq!(two.claim(key, &corrected, time(START)).await.unwrap(), Claim::Granted(corrected));
}

async fn one_of_many_at_once_is_granted(stores: &[Store; 2]) {
    for (name, now) in [("many", START), ("many", "2026-03-01T11:00:00Z")] {
        let mut claims = JoinSet::new();
        for number in 0..12 {
            let store = Arc::clone(&stores[number % 2]);
            claims.spawn(
                async move { store.claim(key(name), &entry(b"image", now), time(now)).await.unwrap() },
            );
        }
        let claims = claims.join_all().await;
        let granted = claims.iter().filter(|claim| matches!(claim, Claim::Granted(_))).count();
        let busy = claims.iter().filter(|claim| matches!(claim, Claim::Busy(_))).count();
        assert_eq!((granted, busy), (1, 11), "{claims:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_entry_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalIdempotency::new(folder.path());
    for content in ["", "{", "\u{0}\u{0}"] {
        let name = key("odd").to_string();
        fs::create_dir_all(folder.path().join(&name[..2])).unwrap();
        fs::write(folder.path().join(&name[..2]).join(format!("{name}.json")), content).unwrap();
        let wanted = entry(b"image", START);
        assert_eq!(store.claim(key("odd"), &wanted, time(START)).await.unwrap(), Claim::Granted(wanted));
    }
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new("", text.as_bytes()).unwrap()
}

fn entry(image: &[u8], at: &str) -> Entry {
    Entry::new(Sha256Hash::of(image), time(at), HOLD)
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}
