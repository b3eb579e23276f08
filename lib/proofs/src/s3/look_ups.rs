//! Look-ups by image hash, as empty objects whose names say all.

use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{MAX_PROOFS_PER_IMAGE, ProofRecord, ProofStoreError},
    timestamp::Timestamp,
};

use super::{
    put_name::{PutName, image_folder},
    records::Records,
};
use crate::aws::{
    bucket::{Bucket, MAX_LISTED_AT_ONCE},
    fault::bucket_unavailable,
};

/// The most look-ups of one image that are listed, a thousand with each page. Expired ones count, until the sweep removes
/// them.
const MAX_PAGES: usize = 20;

const ONE: &str = "a look-up";
const MANY: &str = "look-ups";

/// Where look-ups live.
#[derive(Clone, Debug)]
pub(super) struct LookUps {
    bucket: Bucket,
}

impl LookUps {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Writes the look-up of a put.
    pub(super) async fn write(&self, name: &PutName) -> Result<(), ProofStoreError> {
        let wish = self.bucket.put(&name.look_up());
        wish.send().await.map_err(bucket_unavailable("write a look-up".to_owned()))?;
        Ok(())
    }

    /// Whether there is one of this put.
    pub(super) async fn has(&self, name: &PutName) -> Result<bool, ProofStoreError> {
        Ok(self.bucket.length(&name.look_up(), ONE).await?.is_some())
    }

    /// Removes the look-up of a put. Removing it twice is no error.
    pub(super) async fn remove(&self, name: &PutName) -> Result<(), ProofStoreError> {
        self.bucket.remove(&name.look_up(), ONE).await
    }

    /// Removes those of many puts. Removing them twice is no error.
    pub(super) async fn remove_all(&self, names: &[PutName]) -> Result<(), ProofStoreError> {
        let keys: Vec<String> = names.iter().map(PutName::look_up).collect();
        self.bucket.remove_all(&keys, MANY).await
    }

    /// The records of an image that are valid at `now`, newest first.
    pub(super) async fn find(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
        records: &Records,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        let (folder, mut found, mut after) = (image_folder(hash), Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let page = self.bucket.list(&folder, after.as_deref(), MAX_LISTED_AT_ONCE, MANY).await?;
            let names: Vec<PutName> = page
                .objects
                .iter()
                .filter_map(|object| PutName::of_look_up(&object.key))
                .filter(|name| now < name.expires_at)
                .collect();
            for some in names.chunks(MAX_PROOFS_PER_IMAGE) {
                found.extend(current(some, now, records).await?);
                if found.len() >= MAX_PROOFS_PER_IMAGE {
                    found.truncate(MAX_PROOFS_PER_IMAGE);
                    return Ok(found);
                }
            }
            after = page.objects.into_iter().next_back().map(|object| object.key);
            if page.is_last || after.is_none() {
                return Ok(found);
            }
        }
        tracing::warn!(%hash, "an image has so many expired proofs that not all of its proofs were looked at");
        Ok(found)
    }
}

/// The records of those of `names` that are the last put of their proofs.
async fn current(
    names: &[PutName],
    now: Timestamp,
    records: &Records,
) -> Result<Vec<ProofRecord>, ProofStoreError> {
    let read = records.read_all(names.iter().map(|name| name.id).collect()).await?;
    let mut found = Vec::new();
    for (name, stored) in names.iter().zip(read) {
        let Some(stored) = stored else { continue };
        match stored.entry {
            Ok(entry) if entry.blob == name.blob() && now < entry.record.expires_at => {
                found.push(entry.record);
            }
            Ok(_) => {}
            // One record that cannot be read must not hide the others.
            Err(error) => tracing::warn!(%error, "left out of a look-up by image hash"),
        }
    }
    Ok(found)
}
