//! The cleanup of a table and a bucket in a local AWS.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use credlink_aws::SdkConfig;
use credlink_local_aws::{Call, Fate, FaultyLink, LocalAws};
use credlink_proofs::{
    aws::AwsProofStore,
    upkeep::{Sweep, Tally, Upkeep as _},
};

use crate::{
    Result,
    cleaner::peak_memory,
    proofs::{fill, in_two_days, verify},
};

type Calls = Arc<Mutex<BTreeMap<String, usize>>>;

/// Fills a table and a bucket, cleans them up, and prints what it took.
pub(crate) async fn run(proofs: usize) -> Result<()> {
    let aws = LocalAws::shared();
    let (table, bucket) = (aws.make_table().await, aws.make_bucket().await);
    let store = |config: &SdkConfig| {
        let dynamo = aws_sdk_dynamodb::Client::new(config);
        AwsProofStore::new(dynamo, &table, credlink_aws::s3(config), &bucket)
    };
    let direct = store(&aws.sdk_config());
    let start = Instant::now();
    fill(&direct, proofs).await?;
    println!("{proofs} proofs put             {:>9.1?}", start.elapsed());

    let calls = Calls::default();
    let counting = Arc::clone(&calls);
    let link = FaultyLink::to(aws, move |call| {
        *counting.lock().unwrap_or_else(PoisonError::into_inner).entry(kind_of(call)).or_default() += 1;
        Fate::Pass
    });
    for what in ["cleaned up", "cleaned up once more"] {
        // A store of its own for each, as each night has.
        let counted = clean(&store(&link.sdk_config()), what).await?;
        let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        println!(
            "  {} removed, {} kept, calls: {calls:?}",
            counted.expired_proofs_removed, counted.proofs.valid
        );
        calls.clear();
    }
    println!("peak memory                   {:>6} kB", peak_memory()?);
    verify(&direct, proofs).await?;
    println!("all as it should be");
    Ok(())
}

async fn clean(store: &AwsProofStore, what: &str) -> Result<Tally> {
    let sweep = Sweep::new(in_two_days(), false);
    let (mut tally, mut after, mut pages) = (Tally::default(), None, 0);
    let start = Instant::now();
    loop {
        let page = store.sweep_page(sweep, after.as_deref()).await?;
        if let Some(fault) = page.faults.first {
            return Err(fault.into());
        }
        tally.add(page.tally);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    println!("{what:<29} {:>9.1?} {pages} pages", start.elapsed());
    Ok(tally)
}

/// DynamoDB names its operations; S3's are known by their methods.
fn kind_of(call: &Call) -> String {
    match (call.operation.as_str(), call.method.as_str()) {
        ("", "GET") => "ListObjectsV2".to_owned(),
        ("", "POST") => "DeleteObjects".to_owned(),
        ("", "HEAD") => "HeadObject".to_owned(),
        ("", method) => method.to_owned(),
        (operation, _) => operation.to_owned(),
    }
}
