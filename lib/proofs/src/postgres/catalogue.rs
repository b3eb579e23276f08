//! Going through the table of proofs in the order of their ids.

use async_trait::async_trait;
use credlink_pipeline::{
    proof::{CataloguePage, ProofCatalogue, ProofStoreError},
    timestamp::Timestamp,
};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    PostgresProofStore,
    row::{RecordRow, length, value},
};
use crate::{
    catalogue::{at_most, id_of_place},
    statistics::{Census, ProofCounts, ProofStatistics},
};

const PAGE: &str = "
    SELECT p.id, p.version, p.image_hash, p.created_at, p.expires_at, p.record
    FROM credlink.proofs p
    WHERE p.id >= $1
    ORDER BY p.id
    LIMIT $2";

/// Reads one index alone, where the server's vacuum came by.
const COUNT: &str = "
    SELECT count(*) FILTER (WHERE p.expires_at > $1) AS valid,
        count(*) FILTER (WHERE p.expires_at > $1 AND p.created_at >= $2) AS created_last_day,
        count(*) FILTER (WHERE p.expires_at <= $1) AS expired_waiting,
        coalesce(sum(p.length), 0)::bigint AS bytes
    FROM credlink.proofs p";

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

#[async_trait]
impl ProofCatalogue for PostgresProofStore {
    async fn page(&self, after: Option<&str>, limit: usize) -> Result<CataloguePage, ProofStoreError> {
        let after = after.map(id_of_place).transpose()?.map(Uuid::from);
        let Some(first) = first_behind(after) else { return Ok(CataloguePage::default()) };
        let limit = at_most(limit);
        let answer = self.connections.query("list proofs", PAGE, &[&first, &length(limit)]).await?;
        let mut page = CataloguePage { next: next(&answer.rows, limit)?, ..CataloguePage::default() };
        for row in &answer.rows {
            let row = RecordRow::of(row)?;
            match row.record() {
                Ok(record) => {
                    page.newer.extend(row.is_newer(&record)?.then_some(record.id));
                    page.records.push(record);
                }
                Err(ProofStoreError::Damaged { id, .. }) => page.damaged.push(id),
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }
}

#[async_trait]
impl ProofStatistics for PostgresProofStore {
    /// Counts by what stands beside the records: a damaged one counts as well.
    async fn census(&self, now: Timestamp) -> Result<Option<Census>, ProofStoreError> {
        // The first millisecond of the first second that is less than a day old.
        let a_day_ago = (now.unix_seconds() - DAY + 1).saturating_mul(1000);
        let answer =
            self.connections.query("count proofs", COUNT, &[&now.unix_milliseconds(), &a_day_ago]).await?;
        let Some(row) = answer.rows.first() else { return Ok(None) };
        let count = |name| Ok(value::<i64>(row, name)?.unsigned_abs());
        let counts = ProofCounts {
            valid: count("valid")?,
            created_last_day: count("created_last_day")?,
            expired_waiting: count("expired_waiting")?,
            bytes: count("bytes")?,
        };
        Ok(Some(Census { counts, as_of: now }))
    }
}

/// The first id behind another one, or of all; `None` when there is none.
pub(super) fn first_behind(after: Option<Uuid>) -> Option<Uuid> {
    after.map_or(Some(Uuid::nil()), |after| after.as_u128().checked_add(1).map(Uuid::from_u128))
}

/// Where the page behind these rows begins, of which there may be `limit`.
pub(super) fn next(rows: &[Row], limit: usize) -> Result<Option<String>, ProofStoreError> {
    let last = rows.last().filter(|_| rows.len() == limit);
    last.map(|row| Ok(RecordRow::of(row)?.id.to_string())).transpose()
}
