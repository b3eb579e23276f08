//! Cleaning up the proofs in the database. They have no orphans: whatever belongs to a proof goes in the same statement.

use async_trait::async_trait;
use credlink_pipeline::proof::{ProofId, ProofStoreError};
use uuid::Uuid;

use super::{
    PostgresProofStore,
    catalogue::{first_behind, next},
    row::{RecordRow, length, value},
};
use crate::{
    catalogue::at_most,
    upkeep::{CLOCK_MARGIN, Sweep, SweptPage, Upkeep, UpkeepError},
};

const PAGE: &str = "
    SELECT p.id, p.version, p.image_hash, p.created_at, p.expires_at, p.record, p.length,
        EXISTS (SELECT FROM credlink.manifest_stores m WHERE m.proof = p.id) AS is_whole
    FROM credlink.proofs p
    WHERE p.id >= $1
    ORDER BY p.id
    LIMIT $2";

/// Looks once more: somebody may have removed a proof meanwhile, and put another one of this id. What somebody else is
/// changing is left for the next time.
const REMOVE: &str = "
    WITH due AS (
        SELECT p.id FROM credlink.proofs p
        WHERE p.id = ANY($1) AND p.expires_at <= $2
        ORDER BY p.id
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM credlink.proofs p USING due WHERE p.id = due.id
    RETURNING p.id";

#[async_trait]
impl Upkeep for PostgresProofStore {
    fn subject(&self) -> &'static str {
        "proofs"
    }

    async fn sweep_page(&self, sweep: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError> {
        let place = |text: &str| text.parse().map_err(|_| UpkeepError::UnknownPlace(text.to_owned()));
        let after: Option<ProofId> = after.map(place).transpose()?;
        Ok(self.sweep_behind(after, sweep).await?)
    }
}

impl PostgresProofStore {
    async fn sweep_behind(&self, after: Option<ProofId>, sweep: Sweep) -> Result<SweptPage, ProofStoreError> {
        let Some(first) = first_behind(after.map(Uuid::from)) else { return Ok(SweptPage::default()) };
        let limit = at_most(sweep.page);
        let answer = self.connections.query("list proofs", PAGE, &[&first, &length(limit)]).await?;
        let mut page = SweptPage { next: next(&answer.rows, limit)?, ..SweptPage::default() };
        let mut due: Vec<Uuid> = Vec::new();
        for row in &answer.rows {
            let found = RecordRow::of(row)?;
            match found.record() {
                Ok(record) if sweep.is_over(record.expires_at) => due.push(found.id.into()),
                Ok(record) => {
                    let length: i64 = value(row, "length")?;
                    page.tally.proofs.add(&record, length.unsigned_abs(), sweep.now);
                    if !value::<bool>(row, "is_whole")? {
                        page.tally.proofs_without_manifest_store.add(found.id);
                    }
                }
                Err(ProofStoreError::Damaged { id, .. }) => page.tally.damaged_proofs.add(id),
                Err(error) => return Err(error),
            }
        }
        if sweep.dry_run || due.is_empty() {
            page.tally.expired_proofs_removed = due.len() as u64;
            return Ok(page);
        }
        match self.remove_due(&due, sweep).await {
            Ok(removed) => page.tally.expired_proofs_removed = removed,
            Err(error) => page.faults.add(&error),
        }
        Ok(page)
    }

    /// Removes those of the proofs `ids` that are over; how many were. What is removed by a call without an answer is
    /// counted by nobody.
    async fn remove_due(&self, ids: &[Uuid], sweep: Sweep) -> Result<u64, ProofStoreError> {
        let over = sweep.now.unix_milliseconds().saturating_sub(1000 * CLOCK_MARGIN);
        let removed = self.connections.query_once("remove expired proofs", REMOVE, &[&ids, &over]).await?;
        Ok(removed.len() as u64)
    }
}
