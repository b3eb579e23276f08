//! Records as objects in a bucket, which S3 changes only on a condition.

use async_trait::async_trait;
use aws_sdk_s3::{
    config::{Builder, retry::RetryConfig},
    operation::delete_object::DeleteObjectError,
};
use bytes::Bytes;
use credlink_aws::{Fault, MAX_CALL_TIME, has_code};
use credlink_pipeline::proof::{ProofId, ProofRecord, ProofStoreError};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use super::put_name::PutName;
use crate::{
    aws::{
        bucket::{Bucket, Fetched, MAX_LISTED_AT_ONCE},
        fault::bucket_unavailable,
        item::{Entry, MAX_RECORD_BYTES},
        manifest_stores::Entries,
        sweep::all,
    },
    newer::is_newer,
    pause::pause_before,
};

const RECORD_PREFIX: &str = "records/";

/// How often a conditional call is made that others stand in the way of. The SDK does not make these again itself.
const ATTEMPTS: u32 = 8;

/// What S3 answers when the condition does not hold, when there is no object that it could be true of, and when others
/// write the same object at this moment.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response>
const REFUSED: &str = "PreconditionFailed";
const NOTHING_THERE: &str = "NoSuchKey";
const CONFLICT: &str = "ConditionalRequestConflict";

const ONE: &str = "the record of a proof";

/// Where records live.
#[derive(Clone, Debug)]
pub(super) struct Records {
    bucket: Bucket,
}

/// A record as it lies in the bucket.
pub(super) struct Stored {
    /// What it says, or why it cannot be read.
    pub(super) entry: Result<Entry, ProofStoreError>,
    /// Whether a newer version of CredLink wrote it.
    pub(super) is_newer: bool,
    /// What S3 tells this state of it from others by.
    etag: String,
}

/// What became of the wish to add a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Done,
    IdIsTaken,
}

/// What became of the wish to remove a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    Done,
    ByOthers,
    /// It is there, but not as it was read.
    Changed,
}

/// The content of the object.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    record: ProofRecord,
    /// The name of the object with the manifest store.
    manifest_store: String,
}

impl Content {
    fn of(entry: &Entry) -> Self {
        Self { record: entry.record.clone(), manifest_store: entry.blob.clone() }
    }
}

impl Records {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Adds a record, whose encoded form is `content`.
    pub(super) async fn add(&self, entry: &Entry, content: Bytes) -> Result<Added, ProofStoreError> {
        let (id, what) = (entry.record.id, "add a proof");
        in_time(what, async {
            for attempt in 0..ATTEMPTS {
                sleep(pause_before(attempt)).await;
                let wish = self.bucket.put(&key(id)).content_type("application/json").if_none_match("*");
                match wish.body(content.clone().into()).send().await {
                    Ok(_) => return Ok(Added::Done),
                    Err(error) if has_code(&error, REFUSED) => return self.whose(entry).await,
                    Err(error) if has_code(&error, CONFLICT) => {}
                    Err(error) => return Err(bucket_unavailable(what.to_owned())(error)),
                }
            }
            Err(hindered(what))
        })
        .await
    }

    /// Removes a record if it is as it was read. Each attempt is our own, so that a lost answer is not taken for somebody
    /// else's deletion.
    pub(super) async fn remove(&self, id: ProofId, seen: &Stored) -> Result<Removed, ProofStoreError> {
        let what = "remove a proof";
        in_time(what, async {
            let (mut may_be_done, mut hindrance) = (false, None);
            for attempt in 0..ATTEMPTS {
                sleep(pause_before(attempt)).await;
                let once = Builder::new().retry_config(RetryConfig::disabled());
                let wish = self.bucket.delete(&key(id)).if_match(&seen.etag);
                let Err(error) = wish.customize().config_override(once).send().await else {
                    return Ok(Removed::Done);
                };
                if has_code(&error, NOTHING_THERE) {
                    return Ok(if may_be_done { Removed::Done } else { Removed::ByOthers });
                }
                if has_code(&error, REFUSED) {
                    return self.refused(id, seen, may_be_done).await;
                }
                if !has_code::<DeleteObjectError>(&error, CONFLICT) {
                    let Fault::Transient(reason) = Fault::of(&error) else {
                        return Err(bucket_unavailable(what.to_owned())(error));
                    };
                    may_be_done = true;
                    hindrance = Some(ProofStoreError::Unavailable(format!("cannot {what} now: {reason}")));
                }
            }
            Err(hindrance.unwrap_or_else(|| hindered(what)))
        })
        .await
    }

    /// The record of a proof as it lies there.
    pub(super) async fn stored(&self, id: ProofId) -> Result<Option<Stored>, ProofStoreError> {
        let damaged = |reason: String| ProofStoreError::Damaged { id, reason };
        let (entry, is_newer, etag) = match self.bucket.fetch(&key(id), MAX_RECORD_BYTES, ONE).await? {
            Fetched::Missing => return Ok(None),
            Fetched::TooLarge { etag } => {
                (Err("its record is larger than any that is kept".to_owned()), false, etag)
            }
            Fetched::Found { content, etag } => {
                let entry = decode(id, &content);
                let is_newer = entry.as_ref().is_ok_and(|entry| is_newer(&content, &Content::of(entry)));
                (entry, is_newer, etag)
            }
        };
        Ok(Some(Stored { entry: entry.map_err(damaged), is_newer, etag }))
    }

    /// What the records of `ids` say, in their order, some of them read at once; `None` for those that are gone.
    pub(super) async fn read_all(&self, ids: Vec<ProofId>) -> Result<Vec<Option<Stored>>, ProofStoreError> {
        let reads = ids.into_iter().enumerate().map(|(place, id)| {
            let records = self.clone();
            async move { Ok((place, records.stored(id).await?)) }
        });
        let mut read = all(reads).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        read.sort_unstable_by_key(|(place, _)| *place);
        Ok(read.into_iter().map(|(_, stored)| stored).collect())
    }

    /// The ids of the next records behind `after`, at most `limit`, and whether there are no more.
    pub(super) async fn ids_after(
        &self,
        after: Option<ProofId>,
        limit: usize,
    ) -> Result<(Vec<ProofId>, bool), ProofStoreError> {
        let mut cursor = after.map(key);
        loop {
            let limit = limit.clamp(1, MAX_LISTED_AT_ONCE);
            let page = self.bucket.list(RECORD_PREFIX, cursor.as_deref(), limit, "records").await?;
            cursor = page.objects.last().map(|object| object.key.clone());
            let ids: Vec<_> = page.objects.iter().filter_map(|object| proof_of_key(&object.key)).collect();
            // A page in which all is somebody else's gives no place to go on from.
            if !ids.is_empty() || page.is_last || cursor.is_none() {
                return Ok((ids, page.is_last));
            }
        }
    }

    /// Asks for one record that does not exist.
    pub(super) async fn check(&self) -> Result<(), ProofStoreError> {
        self.bucket.fetch("records/check", MAX_RECORD_BYTES, ONE).await.map(drop)
    }

    /// Whose record it is that stands in the way of `entry`. It is ours when an earlier attempt got through.
    async fn whose(&self, entry: &Entry) -> Result<Added, ProofStoreError> {
        let there = self.stored(entry.record.id).await?;
        let is_ours = there.is_some_and(|stored| stored.entry.is_ok_and(|there| there.blob == entry.blob));
        Ok(if is_ours { Added::Done } else { Added::IdIsTaken })
    }

    /// Whether a record that is not as it was `seen` was changed, or removed and put anew.
    async fn refused(
        &self,
        id: ProofId,
        seen: &Stored,
        may_be_done: bool,
    ) -> Result<Removed, ProofStoreError> {
        let Some(there) = self.stored(id).await? else {
            return Ok(if may_be_done { Removed::Done } else { Removed::ByOthers });
        };
        Ok(match (&seen.entry, &there.entry) {
            (Ok(seen), Ok(there)) if seen.blob != there.blob && may_be_done => Removed::Done,
            (Ok(seen), Ok(there)) if seen.blob != there.blob => Removed::ByOthers,
            _ => Removed::Changed,
        })
    }
}

#[async_trait]
impl Entries for Records {
    async fn read(&self, id: ProofId) -> Result<Option<Entry>, ProofStoreError> {
        self.stored(id).await?.map(|stored| stored.entry).transpose()
    }

    async fn replace(&self, before: &Entry, now: &Entry) -> Result<bool, ProofStoreError> {
        let (id, what) = (now.record.id, "change a proof");
        let is = |there: &Entry, entry: &Entry| there.record == entry.record && there.blob == entry.blob;
        let content = encode(now)?;
        in_time(what, async {
            for attempt in 0..ATTEMPTS {
                sleep(pause_before(attempt)).await;
                let Some(Stored { entry, etag, .. }) = self.stored(id).await? else { return Ok(false) };
                if !is(&entry?, before) {
                    return Ok(false);
                }
                let wish = self.bucket.put(&key(id)).content_type("application/json").if_match(etag);
                match wish.body(content.clone().into()).send().await {
                    Ok(_) => return Ok(true),
                    Err(error) if has_code(&error, NOTHING_THERE) => return Ok(false),
                    // An earlier attempt may have got through.
                    Err(error) if has_code(&error, REFUSED) => {
                        return Ok(self.read(id).await?.is_some_and(|there| is(&there, now)));
                    }
                    Err(error) if has_code(&error, CONFLICT) => {}
                    Err(error) => return Err(bucket_unavailable(what.to_owned())(error)),
                }
            }
            Err(hindered(what))
        })
        .await
    }
}

/// The content of a record's object.
///
/// # Errors
/// [`ProofStoreError::Damaged`] when it is longer than any that is kept.
pub(super) fn encode(entry: &Entry) -> Result<Bytes, ProofStoreError> {
    let damaged = |reason| ProofStoreError::Damaged { id: entry.record.id, reason };
    let json = serde_json::to_vec(&Content::of(entry))
        .map_err(|error| damaged(format!("its record cannot be written: {error}")))?;
    if json.len() > MAX_RECORD_BYTES {
        let length = json.len();
        return Err(damaged(format!("its record has {length} bytes; {MAX_RECORD_BYTES} can be kept")));
    }
    Ok(json.into())
}

fn decode(id: ProofId, content: &[u8]) -> Result<Entry, String> {
    let Content { record, manifest_store } =
        serde_json::from_slice(content).map_err(|error| format!("its record cannot be read: {error}"))?;
    if record.id != id {
        return Err(format!("its object holds proof {}", record.id));
    }
    if PutName::of_blob(&manifest_store).is_none_or(|name| name.id != id) {
        return Err("its record names a manifest store that is not its own".to_owned());
    }
    Ok(Entry { record, blob: manifest_store })
}

fn key(id: ProofId) -> String {
    format!("{RECORD_PREFIX}{id}")
}

fn proof_of_key(name: &str) -> Option<ProofId> {
    name.strip_prefix(RECORD_PREFIX)?.parse().ok().filter(|id| key(*id) == name)
}

async fn in_time<T>(
    what: &str,
    attempts: impl Future<Output = Result<T, ProofStoreError>>,
) -> Result<T, ProofStoreError> {
    timeout(MAX_CALL_TIME, attempts).await.unwrap_or_else(|_| {
        let seconds = MAX_CALL_TIME.as_secs();
        Err(ProofStoreError::Unavailable(format!("cannot {what} within {seconds} s")))
    })
}

fn hindered(what: &str) -> ProofStoreError {
    ProofStoreError::Unavailable(format!("cannot {what} now: others write it all the time"))
}
