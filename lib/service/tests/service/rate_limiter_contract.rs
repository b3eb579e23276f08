//! What every [`RateLimiter`] promises: that in memory, and that in DynamoDB on a local AWS.

use std::{net::IpAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use credlink_local_aws::LocalAws;
use credlink_pipeline::timestamp::Timestamp;
use credlink_service::{
    aws::rate_limits::DynamoRateLimiter,
    middleware::ClientAddress,
    rate_limits::{Asked, Counts, MemoryRateLimiter, RateLimiter, Window},
};

#[tokio::test]
async fn memory_keeps_the_contract() {
    let memory: Arc<dyn RateLimiter> = Arc::new(MemoryRateLimiter::new());
    keeps_the_contract([Arc::clone(&memory), memory]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_keeps_the_contract() {
    let aws = LocalAws::shared();
    let table = aws.make_table().await;
    let limiter = || {
        let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config());
        Arc::new(DynamoRateLimiter::new(client, table.clone())) as Arc<dyn RateLimiter>
    };
    keeps_the_contract([limiter(), limiter()]).await;
    let items =
        aws_sdk_dynamodb::Client::new(&aws.sdk_config()).scan().table_name(&table).send().await.unwrap();
    for item in items.items() {
        assert!(item["pk"].as_s().unwrap().starts_with("rate#"), "{item:?}");
        let ttl: i64 = item["ttl"].as_n().unwrap().parse().unwrap();
        assert!(ttl > window("2026-03-01T10:00:00Z").end_seconds(), "{item:?}");
    }
}

#[tokio::test]
async fn memory_forgets_who_was_not_heard_of_for_the_longest() {
    let memory = MemoryRateLimiter::with_capacity(NonZeroUsize::new(2).unwrap());
    let count = async |address| {
        memory.count(client(address), Asked::Other, window("2026-03-01T10:00:00Z")).await.unwrap().requests
    };
    assert_eq!(count("192.0.2.1").await, 1);
    assert_eq!(count("192.0.2.2").await, 1);
    assert_eq!(count("192.0.2.1").await, 2);
    assert_eq!(count("192.0.2.3").await, 1);
    assert_eq!(count("192.0.2.1").await, 3);
    assert_eq!(count("192.0.2.2").await, 1);
}

/// Both instances count into the same place.
async fn keeps_the_contract([one, two]: [Arc<dyn RateLimiter>; 2]) {
    let now = window("2026-03-01T10:00:00Z");
    let mut expected = Counts::default();
    for (limiter, asked) in
        [(&one, Asked::Other), (&two, Asked::Sign), (&one, Asked::Sign), (&two, Asked::Other)]
    {
        expected.requests += 1;
        expected.signs += u32::from(asked == Asked::Sign);
        assert_eq!(limiter.count(client("192.0.2.1"), asked, now).await.unwrap(), expected);
    }
    let others = [("192.0.2.2", now), ("2001:db8::1", now), ("192.0.2.1", window("2026-03-01T10:01:00Z"))];
    for (address, window) in others {
        let first = one.count(client(address), Asked::Other, window).await.unwrap();
        assert_eq!(first, Counts { requests: 1, signs: 0 }, "{address}");
    }
    let mut at_once = tokio::task::JoinSet::new();
    for number in 0..20 {
        let limiter = Arc::clone(if number % 2 == 0 { &one } else { &two });
        at_once
            .spawn(async move { limiter.count(client("192.0.2.9"), Asked::Sign, now).await.unwrap().signs });
    }
    let mut counts = at_once.join_all().await;
    counts.sort_unstable();
    assert_eq!(counts, (1..=20).collect::<Vec<u32>>(), "nobody is counted twice or missed");
}

fn client(address: &str) -> ClientAddress {
    address.parse::<IpAddr>().unwrap().into()
}

fn window(at: &str) -> Window {
    Window::at(Timestamp::parse(at).unwrap(), Duration::from_secs(60))
}
