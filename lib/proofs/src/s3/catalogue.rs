//! Going through the records in the bucket.

use async_trait::async_trait;
use credlink_pipeline::{
    proof::{CataloguePage, ProofCatalogue, ProofStoreError},
    timestamp::Timestamp,
};

use super::{S3ProofStore, records::Stored};
use crate::{
    catalogue::{at_most, id_of_place},
    statistics::{Census, ProofStatistics},
};

/// A page is a list, and one call more for each proof in it.
#[async_trait]
impl ProofCatalogue for S3ProofStore {
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<CataloguePage, ProofStoreError> {
        let after = after.map(id_of_place).transpose()?;
        let (ids, is_last) = self.records.ids_after(after, at_most(limit)).await?;
        let next = ids.last().filter(|_| !is_last).map(ToString::to_string);
        let mut page = CataloguePage { next, ..CataloguePage::default() };
        let stored = self.records.read_all(ids.clone()).await?;
        for (id, stored) in ids.into_iter().zip(stored) {
            let Some(Stored { entry, is_newer, .. }) = stored else { continue };
            match entry {
                Ok(entry) => page.records.push(entry.record),
                Err(_) => page.damaged.push(id),
            }
            page.newer.extend(is_newer.then_some(id));
        }
        Ok(page)
    }
}

#[async_trait]
impl ProofStatistics for S3ProofStore {
    /// Never: counting lists the whole bucket, which costs money. The cleanup counts when it goes through.
    async fn census(&self, _: Timestamp) -> Result<Option<Census>, ProofStoreError> {
        Ok(None)
    }
}
