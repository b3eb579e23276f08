//! Stamped copies of manifest stores.

use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{ProofId, ProofRecord, ProofStoreError, StampedCopy},
    timestamp::Timestamp,
};
use uuid::Uuid;

use super::{
    PostgresProofStore,
    connections::Value,
    row::{RecordRow, length, to_json, value},
};

const SEEN: &str = "
    SELECT p.id, p.put, p.version, p.image_hash, p.created_at, p.expires_at, p.record
    FROM credlink.proofs p
    WHERE p.id = $1";

/// The record must be as it was read, letter by letter: another version of CredLink may have written it.
const KEEP: &str = "
    WITH changed AS (
        UPDATE credlink.proofs p
        SET record = $4, length = $5::bigint + coalesce(
            (SELECT octet_length(m.bytes) FROM credlink.manifest_stores m WHERE m.proof = p.id), 0)
        WHERE p.id = $1 AND p.put = $2 AND p.record = $3
        RETURNING p.id
    ), kept AS (
        INSERT INTO credlink.stamped_copies (proof, sha256, bytes)
        SELECT id, $6::bytea, $7::bytea FROM changed
        ON CONFLICT (proof) DO UPDATE SET sha256 = excluded.sha256, bytes = excluded.bytes
    )
    SELECT id FROM changed";

const COPY: &str = "
    SELECT p.id, p.version, p.image_hash, p.created_at, p.expires_at, p.record, c.sha256, c.bytes
    FROM credlink.proofs p LEFT JOIN credlink.stamped_copies c ON c.proof = p.id
    WHERE p.id = $1 AND p.expires_at > $2";

/// A record as it stands there.
struct Seen {
    record: ProofRecord,
    put: Uuid,
    json: String,
}

impl PostgresProofStore {
    /// Keeps a stamped copy, if the proof is still as `seen`.
    pub(super) async fn keep_copy(
        &self,
        seen: &ProofRecord,
        copy: StampedCopy,
        stamped_store: &[u8],
    ) -> Result<bool, ProofStoreError> {
        let Some(there) = self.seen(seen.id).await?.filter(|there| there.record == *seen) else {
            return Ok(false);
        };
        let json = to_json(&ProofRecord { stamped: Some(copy), ..there.record })?;
        let sha256 = Sha256Hash::of(stamped_store);
        let values: [Value<'_>; 7] = [
            &Uuid::from(seen.id),
            &there.put,
            &there.json,
            &json,
            &length(json.len() + stamped_store.len()),
            &&sha256.as_bytes()[..],
            &stamped_store,
        ];
        let answer = self.connections.query("keep a stamped copy", KEEP, &values).await?;
        if !answer.rows.is_empty() || !answer.was_lost {
            return Ok(!answer.rows.is_empty());
        }
        // An answer was lost: it may be this very copy that is there.
        let now = self.seen(seen.id).await?;
        Ok(now.is_some_and(|now| now.put == there.put && now.json == json))
    }

    /// The stamped copy of a proof.
    pub(super) async fn copy(&self, id: ProofId, now: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
        let values: [Value<'_>; 2] = [&Uuid::from(id), &now.unix_milliseconds()];
        let answer = self.connections.query("read a stamped copy", COPY, &values).await?;
        let Some(row) = answer.rows.first() else { return Ok(None) };
        let row = RecordRow::of(row)?;
        if row.record()?.stamped.is_none() {
            return Ok(None);
        }
        let stamped =
            row.manifest_store()?.ok_or_else(|| row.damaged("its stamped copy is missing".to_owned()))?;
        Ok(Some(Bytes::copy_from_slice(stamped)))
    }

    async fn seen(&self, id: ProofId) -> Result<Option<Seen>, ProofStoreError> {
        let answer = self.connections.query("read a record", SEEN, &[&Uuid::from(id)]).await?;
        let Some(row) = answer.rows.first() else { return Ok(None) };
        let record = RecordRow::of(row)?.record()?;
        Ok(Some(Seen { record, put: value(row, "put")?, json: value(row, "record")? }))
    }
}
