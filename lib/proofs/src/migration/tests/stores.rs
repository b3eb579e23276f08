//! From every store into every other one.

use credlink_local_aws::LocalAws;
use credlink_local_postgres::LocalPostgres;

use super::*;
use crate::{
    LocalProofStore,
    aws::AwsProofStore,
    postgres::{PostgresProofStore, PostgresSettings},
    s3::S3ProofStore,
};

/// How many proofs each migration moves.
const PROOFS: usize = 60;

/// The stores between which proofs move.
const KINDS: [&str; 4] = ["local", "dynamodb", "postgres", "s3"];

async fn fresh(kind: &str, dir: &Path) -> Arc<dyn ProofCatalogue> {
    match kind {
        "local" => Arc::new(LocalProofStore::open(dir.join(ProofId::random().to_string())).unwrap()),
        "dynamodb" => {
            let aws = LocalAws::shared();
            let config = aws.sdk_config();
            let (table, bucket) = (aws.make_table().await, aws.make_bucket().await);
            let dynamo = aws_sdk_dynamodb::Client::new(&config);
            Arc::new(AwsProofStore::new(dynamo, table, credlink_aws::s3(&config), bucket))
        }
        "s3" => {
            let aws = LocalAws::shared();
            let bucket = aws.make_bucket().await;
            Arc::new(S3ProofStore::new(credlink_aws::s3(&aws.sdk_config()), bucket, "proofs"))
        }
        "postgres" => {
            let url = LocalPostgres::shared().make_database().await;
            let settings = PostgresSettings::parse(&url).unwrap();
            Arc::new(PostgresProofStore::open(&settings).await.unwrap())
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_every_store_into_every_other_one() {
    let place = Place::new();
    for from in KINDS {
        let source = fresh(from, place.dir.path()).await;
        fill(&*source, PROOFS).await;
        source.put(&sample(b"image", "2020-01-01T00:00:00Z")).await.unwrap();
        let before = contents(&*source).await;
        for to in KINDS.into_iter().filter(|to| *to != from) {
            let destination = fresh(to, place.dir.path()).await;
            let migration = migration(Arc::clone(&source), Arc::clone(&destination));
            let mut run = place.begin(Options { include_expired: true, ..Options::default() });
            let report = migration.run(&mut run, &|| false).await.unwrap();
            assert_eq!(report.ending, Ending::Complete, "{from} to {to}: {report:?}");
            assert_eq!((report.counts.copied, report.counts.failed), (PROOFS as u64 + 1, 0));
            assert!(report.reconciliation.unwrap().equal);
            assert_eq!(contents(&*destination).await, before, "{from} to {to}");
            let undone = migration.roll_back(&mut run, &|| false).await.unwrap();
            assert_eq!(undone.removed, PROOFS as u64 + 1);
            assert!(contents(&*destination).await.is_empty());
        }
    }
}
