//! Proofs in a PostgreSQL database, version 12 or newer; several processes may use it at once.
//!
//! | table in the schema `credlink` | holds |
//! |---|---|
//! | `proofs` | a row per proof: the record as JSON, and what it is found, listed and counted by |
//! | `manifest_stores` | its manifest store, which goes with it |
//! | `stamped_copies` | the stamped copy of it, where there is one; goes with it as well |
//! | `schema_versions` | which changes of these tables were made, and when |
//!
//! # Everything is one statement
//! What a method does to a proof is one SQL statement, which is a transaction by itself: all of it happens or nothing,
//! whenever the process or the server dies, and it takes one trip to the server. Concurrent changes of one proof are told
//! apart by their conditions: a put takes an id only if it is free, a stamped copy goes to a record only if that is still
//! the one that was read.
//!
//! # When the connection breaks
//! Nobody knows then if the statement was done. It is sent again, with others in between, for a few seconds. A put carries
//! a number that no other put has, by which it knows its own proof again. A deletion that finds nothing when it is sent
//! again counts as done.
//!
//! # PgBouncer
//! It must let settings pass that it does not know: `ignore_startup_parameters = options`; then the limits on the server's
//! side do not hold, those of this program do. Its mode `session` works (tried with 1.18). In the mode `transaction` it
//! must keep prepared statements, which it does from 1.21 on with `max_prepared_statements` above 0 (not tried; 1.18 loses
//! them, and the error says so).

mod catalogue;
mod connections;
mod fault;
mod limits;
mod row;
mod schema;
mod settings;
mod stamped;
mod sweep;
#[cfg(test)]
mod tests;
mod tls;

use async_trait::async_trait;
use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{MAX_PROOFS_PER_IMAGE, Proof, ProofId, ProofRecord, ProofStore, ProofStoreError, StampedCopy},
    timestamp::Timestamp,
};
use uuid::Uuid;

use connections::Connections;
use fault::READ_ONLY;
use limits::MAX_MANIFEST_STORE_BYTES;
use row::{RECORD_VERSION, RecordRow, length, to_json, value};

pub use settings::{PostgresSettings, PostgresSettingsError};

/// The proof store in a PostgreSQL database. A clone shares its connections.
#[derive(Clone, Debug)]
pub struct PostgresProofStore {
    connections: Connections,
}

impl PostgresProofStore {
    /// Opens the database, and makes its tables where they are missing or older than this program.
    ///
    /// The user must be allowed to create a schema in the database, or own one called `credlink` there. Where another
    /// user made the tables, it must be allowed `USAGE` of the schema, and `SELECT`, `INSERT`, `UPDATE` and `DELETE` of
    /// its tables.
    ///
    /// # Errors
    /// [`ProofStoreError::Unavailable`] when the server cannot be reached or refuses the user, and when a newer version of
    /// CredLink changed the tables. The sentence says what to do, and never the password.
    pub async fn open(settings: &PostgresSettings) -> Result<Self, ProofStoreError> {
        let store = Self::open_later(settings)?;
        store.connections.prepare().await?;
        Ok(store)
    }

    /// Like [`PostgresProofStore::open`], but the database is asked by the first call, and by the next one as long as it
    /// cannot be opened.
    ///
    /// # Errors
    /// [`ProofStoreError::Unavailable`] when the certificates of authorities cannot be read.
    pub fn open_later(settings: &PostgresSettings) -> Result<Self, ProofStoreError> {
        Ok(Self { connections: Connections::new(settings)? })
    }

    /// Like [`PostgresProofStore::open`], for who only reads: nothing is changed, and the user needs no more than `USAGE` of
    /// the schema and `SELECT` of its tables.
    ///
    /// # Errors
    /// [`ProofStoreError::Unavailable`] as there, and when the tables are missing or older than this program.
    pub async fn open_for_reading(settings: &PostgresSettings) -> Result<Self, ProofStoreError> {
        let store = Self::open_later(settings)?;
        store.connections.expect_prepared().await?;
        Ok(store)
    }

    /// Whether the proof of this id is the one that was put with this number.
    async fn is_of_put(&self, id: ProofId, put: Uuid) -> Result<bool, ProofStoreError> {
        let sql = "SELECT put FROM credlink.proofs p WHERE p.id = $1 AND p.put = $2";
        let found = self.connections.query("look for a proof", sql, &[&Uuid::from(id), &put]).await?;
        Ok(!found.rows.is_empty())
    }
}

const ADD: &str = "
    WITH added AS (
        INSERT INTO credlink.proofs (id, put, version, image_hash, created_at, expires_at, length, record)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    ), kept AS (
        INSERT INTO credlink.manifest_stores (proof, sha256, bytes)
        SELECT id, $9::bytea, $10::bytea FROM added
    )
    SELECT id FROM added";

const RECORD: &str = "
    SELECT p.id, p.version, p.image_hash, p.created_at, p.expires_at, p.record
    FROM credlink.proofs p
    WHERE p.id = $1 AND p.expires_at > $2";

const PROOF: &str = "
    SELECT p.id, p.version, p.image_hash, p.created_at, p.expires_at, p.record, m.sha256, m.bytes
    FROM credlink.proofs p LEFT JOIN credlink.manifest_stores m ON m.proof = p.id
    WHERE p.id = $1 AND p.expires_at > $2";

const FIND: &str = "
    SELECT p.id, p.version, p.image_hash, p.created_at, p.expires_at, p.record
    FROM credlink.proofs p
    WHERE p.image_hash = $1 AND p.expires_at > $2
    ORDER BY p.created_at DESC, p.id DESC
    LIMIT $3";

#[async_trait]
impl ProofStore for PostgresProofStore {
    async fn put(&self, proof: &Proof) -> Result<(), ProofStoreError> {
        let (record, store) = (&proof.record, &proof.manifest_store[..]);
        let id = record.id;
        refuse_if_too_long(id, store)?;
        let (json, put) = (to_json(record)?, Uuid::new_v4());
        let (image_hash, sha256) = (&record.image_hash.as_bytes()[..], Sha256Hash::of(store));
        let answer = self
            .connections
            .query(
                "add a proof",
                ADD,
                &[
                    &Uuid::from(id),
                    &put,
                    &RECORD_VERSION,
                    &image_hash,
                    &record.created_at.unix_milliseconds(),
                    &record.expires_at.unix_milliseconds(),
                    &length(json.len() + store.len()),
                    &json,
                    &&sha256.as_bytes()[..],
                    &store,
                ],
            )
            .await?;
        // Where an answer was lost, it may be this very put that took the id.
        let is_added = !answer.rows.is_empty() || (answer.was_lost && self.is_of_put(id, put).await?);
        if is_added { Ok(()) } else { Err(ProofStoreError::AlreadyExists(id)) }
    }

    async fn record(&self, id: ProofId, now: Timestamp) -> Result<Option<ProofRecord>, ProofStoreError> {
        let values: [connections::Value<'_>; 2] = [&Uuid::from(id), &now.unix_milliseconds()];
        let answer = self.connections.query("read a record", RECORD, &values).await?;
        answer.rows.first().map(|row| RecordRow::of(row)?.record()).transpose()
    }

    async fn proof(&self, id: ProofId, now: Timestamp) -> Result<Option<Proof>, ProofStoreError> {
        let values: [connections::Value<'_>; 2] = [&Uuid::from(id), &now.unix_milliseconds()];
        let answer = self.connections.query("read a proof", PROOF, &values).await?;
        let Some(row) = answer.rows.first() else { return Ok(None) };
        let row = RecordRow::of(row)?;
        let record = row.record()?;
        let manifest_store =
            row.manifest_store()?.ok_or_else(|| row.damaged("its manifest store is missing".to_owned()))?;
        Ok(Some(Proof { record, manifest_store: Bytes::copy_from_slice(manifest_store) }))
    }

    /// A proof that is damaged is left out, and a warning logged.
    async fn find_by_image_hash(
        &self,
        hash: Sha256Hash,
        now: Timestamp,
    ) -> Result<Vec<ProofRecord>, ProofStoreError> {
        let values: [connections::Value<'_>; 3] =
            [&&hash.as_bytes()[..], &now.unix_milliseconds(), &length(MAX_PROOFS_PER_IMAGE)];
        let answer = self.connections.query("find proofs of an image", FIND, &values).await?;
        let mut found = Vec::with_capacity(answer.rows.len());
        for row in &answer.rows {
            match RecordRow::of(row)?.record() {
                Ok(record) => found.push(record),
                Err(error) => tracing::warn!(%error, "a proof is left out of a look-up"),
            }
        }
        Ok(found)
    }

    async fn keep_stamped(
        &self,
        seen: &ProofRecord,
        copy: StampedCopy,
        stamped_store: Bytes,
    ) -> Result<bool, ProofStoreError> {
        refuse_if_too_long(seen.id, &stamped_store)?;
        self.keep_copy(seen, copy, &stamped_store).await
    }

    async fn stamped_store(&self, id: ProofId, now: Timestamp) -> Result<Option<Bytes>, ProofStoreError> {
        self.copy(id, now).await
    }

    /// When the connection breaks meanwhile and the proof is gone afterwards, it counts as removed here.
    async fn delete(&self, id: ProofId) -> Result<bool, ProofStoreError> {
        let sql = "DELETE FROM credlink.proofs p WHERE p.id = $1 RETURNING p.id";
        let answer = self.connections.query("remove a proof", sql, &[&Uuid::from(id)]).await?;
        Ok(!answer.rows.is_empty() || answer.was_lost)
    }

    /// Asks whether the server takes changes, and looks into the table.
    async fn check(&self) -> Result<(), ProofStoreError> {
        let what = "keep proofs";
        let sql = "SELECT current_setting('transaction_read_only') = 'off' AS is_writable,
            EXISTS (SELECT FROM credlink.proofs) AS is_used";
        let answer = self.connections.query(what, sql, &[]).await?;
        let is_writable = answer.rows.first().map(|row| value(row, "is_writable")).transpose()?;
        if is_writable == Some(true) { Ok(()) } else { Err(self.connections.unavailable(what, READ_ONLY)) }
    }
}

fn refuse_if_too_long(id: ProofId, manifest_store: &[u8]) -> Result<(), ProofStoreError> {
    let length = manifest_store.len();
    if length <= MAX_MANIFEST_STORE_BYTES {
        return Ok(());
    }
    let reason = format!("its manifest store has {length} bytes; {MAX_MANIFEST_STORE_BYTES} can be kept");
    Err(ProofStoreError::Damaged { id, reason })
}
