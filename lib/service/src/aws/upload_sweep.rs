//! Cleaning up the bucket of uploads: the backstop for its lifecycle rule, which S3 carries out when it comes to it.

use std::str::FromStr;

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    primitives::DateTime,
    types::{Delete, Object, ObjectIdentifier},
};
use credlink_aws::Fault;
use credlink_pipeline::proof::ProofId;
use credlink_proofs::upkeep::{Sweep, SweptPage, Upkeep, UpkeepError};

use super::uploads::{RESULTS, UPLOADS};
use crate::uploads::UploadId;

/// The most objects that one call lists or removes.
const MAX_AT_ONCE: usize = 1000;

const CHECK: &str = "check the bucket and what the role may do with it";

/// The objects under `uploads/` and `results/` of a bucket. A result, the signed copy of a proof's image, can be fetched for
/// a quarter of an hour; so whatever is a day old belongs to nobody, whether its proof is expired or not.
///
/// Permissions: `s3:ListBucket`, and `s3:DeleteObject` on both.
#[derive(Clone, Debug)]
pub struct UploadSweep {
    client: Client,
    bucket: String,
}

impl UploadSweep {
    /// What lies in `bucket`.
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    async fn list(&self, after: &str, limit: usize) -> Result<Vec<Object>, UpkeepError> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .start_after(after)
            .max_keys(i32::try_from(limit).unwrap_or(1));
        let answer = request.send().await.map_err(|error| match Fault::of(&error) {
            Fault::Transient(text) => UpkeepError::Failed(format!("cannot list uploads now: {text}")),
            Fault::Permanent(text) => UpkeepError::Failed(format!("cannot list uploads: {text}; {CHECK}")),
        })?;
        Ok(answer.contents.unwrap_or_default())
    }

    async fn remove(&self, keys: &[String]) -> Result<(), UpkeepError> {
        if keys.is_empty() {
            return Ok(());
        }
        let what = "remove uploads";
        let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build());
        let removal = objects
            .collect::<Result<Vec<_>, _>>()
            .and_then(|objects| Delete::builder().set_objects(Some(objects)).quiet(true).build())
            .map_err(|error| UpkeepError::Failed(format!("cannot {what}: {error}")))?;
        let request = self.client.delete_objects().bucket(&self.bucket).delete(removal);
        // The text may name an upload, as when access is denied.
        let answer = request.send().await.map_err(|error| match Fault::of(&error) {
            Fault::Transient(_) => UpkeepError::Failed(format!("cannot {what} now: S3 has trouble")),
            Fault::Permanent(_) => UpkeepError::Failed(format!("cannot {what}; {CHECK}")),
        })?;
        match answer.errors().first() {
            None => Ok(()),
            Some(error) => {
                let (code, count) = (error.code().unwrap_or_default(), answer.errors().len());
                Err(UpkeepError::Failed(format!("cannot {what}: {code} for {count} of them; {CHECK}")))
            }
        }
    }
}

#[async_trait]
impl Upkeep for UploadSweep {
    fn subject(&self) -> &'static str {
        "uploads"
    }

    /// A place is the name of an object.
    async fn sweep_page(&self, sweep: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError> {
        let listed = self.list(after.unwrap_or_default(), sweep.page.clamp(1, MAX_AT_ONCE)).await?;
        let next = listed.last().and_then(|object| object.key.clone());
        let mut page = SweptPage { next, ..SweptPage::default() };
        let old = listed.into_iter().filter(|object| {
            object.last_modified.as_ref().map(DateTime::secs).is_some_and(|seconds| sweep.is_old(seconds))
        });
        let mut keys = Vec::new();
        for key in old.filter_map(|object| object.key) {
            if is_named::<UploadId>(UPLOADS, &key) {
                page.tally.uploads_removed += 1;
            } else if is_named::<ProofId>(RESULTS, &key) {
                page.tally.results_removed += 1;
            } else {
                continue;
            }
            keys.push(key);
        }
        if !sweep.dry_run
            && let Err(error) = self.remove(&keys).await
        {
            (page.tally.uploads_removed, page.tally.results_removed) = (0, 0);
            page.faults.add(&error);
        }
        Ok(page)
    }
}

fn is_named<I: FromStr>(prefix: &str, key: &str) -> bool {
    key.strip_prefix(prefix).is_some_and(|id| id.parse::<I>().is_ok())
}
