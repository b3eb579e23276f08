//! Going through the table.

use async_trait::async_trait;
use credlink_pipeline::{
    proof::{CataloguePage, ProofCatalogue, ProofStoreError},
    timestamp::Timestamp,
};

use super::{
    AwsProofStore,
    item::{Key, Kind},
};
use crate::{
    catalogue::{at_most, unknown_place},
    statistics::{Census, ProofStatistics},
};

/// Needs `Scan` on the table. A page reads as many items as it may have proofs, up to a megabyte; about half of them are
/// look-ups, which DynamoDB leaves out of its answer.
#[async_trait]
impl ProofCatalogue for AwsProofStore {
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<CataloguePage, ProofStoreError> {
        let after = after.map(key_of_place).transpose()?;
        let limit = i32::try_from(at_most(limit)).unwrap_or(1);
        let found = self.table.records(after, limit).await?;
        let mut page =
            CataloguePage { next: found.last.map(place_of), newer: found.newer, ..CataloguePage::default() };
        for item in found.items {
            match item {
                Kind::Record(_, Ok(entry)) => page.records.push(entry.record),
                Kind::Record(id, Err(_)) => page.damaged.push(id),
                Kind::LookUp(..) | Kind::IdempotencyKey(..) | Kind::Other => {}
            }
        }
        Ok(page)
    }
}

#[async_trait]
impl ProofStatistics for AwsProofStore {
    /// Never: counting reads the whole table, which costs money. The cleanup counts when it goes through.
    async fn census(&self, _: Timestamp) -> Result<Option<Census>, ProofStoreError> {
        Ok(None)
    }
}

/// A place is the key of the last item, as JSON.
fn place_of(Key { pk, sk }: Key) -> String {
    serde_json::Value::from([pk, sk]).to_string()
}

fn key_of_place(place: &str) -> Result<Key, ProofStoreError> {
    let [pk, sk] = serde_json::from_str(place).map_err(|_| unknown_place(place))?;
    Ok(Key { pk, sk })
}
