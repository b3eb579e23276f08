//! Records as rows.

use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{ProofId, ProofRecord, ProofStoreError},
    timestamp::Timestamp,
};
use tokio_postgres::{Row, types::FromSql};
use uuid::Uuid;

use super::limits::MAX_RECORD_BYTES;
use crate::newer::is_newer;

/// The version of a record's format. It is raised when an older reader would misread a record; a field that is added
/// does not raise it, because readers ignore fields that they do not know.
pub(super) const RECORD_VERSION: i16 = 1;

/// A row, or a part of one, that a proof's record stands in. Its statement selects `p.id`, `p.version`, `p.image_hash`,
/// `p.created_at`, `p.expires_at` and `p.record`.
pub(super) struct RecordRow<'a> {
    row: &'a Row,
    pub(super) id: ProofId,
}

impl<'a> RecordRow<'a> {
    pub(super) fn of(row: &'a Row) -> Result<Self, ProofStoreError> {
        Ok(Self { row, id: value::<Uuid>(row, "id")?.into() })
    }

    /// The record, if it can be read and the columns beside it say the same.
    pub(super) fn record(&self) -> Result<ProofRecord, ProofStoreError> {
        let version: i16 = value(self.row, "version")?;
        if version > RECORD_VERSION {
            return Err(self.damaged(format!(
                "its record has version {version}, and this CredLink reads {RECORD_VERSION}: update it"
            )));
        }
        let record: ProofRecord = serde_json::from_str(value(self.row, "record")?)
            .map_err(|error| self.damaged(format!("its record cannot be read: {error}")))?;
        let image_hash: &[u8] = value(self.row, "image_hash")?;
        let times: [i64; 2] = [value(self.row, "created_at")?, value(self.row, "expires_at")?];
        let is_consistent = record.id == self.id
            && record.image_hash.as_bytes() == image_hash
            && [record.created_at, record.expires_at].map(Timestamp::unix_milliseconds) == times;
        if is_consistent {
            Ok(record)
        } else {
            Err(self.damaged("its record and what it is found by contradict each other".to_owned()))
        }
    }

    /// Whether a newer version of CredLink wrote the record, which is `record`.
    pub(super) fn is_newer(&self, record: &ProofRecord) -> Result<bool, ProofStoreError> {
        Ok(is_newer(value::<&str>(self.row, "record")?.as_bytes(), record))
    }

    /// The manifest store in `bytes`, if it is there and as it was put; `None` when it is missing.
    pub(super) fn manifest_store(&self) -> Result<Option<&'a [u8]>, ProofStoreError> {
        let bytes: Option<&[u8]> = value(self.row, "bytes")?;
        let sha256: Option<&[u8]> = value(self.row, "sha256")?;
        let Some(bytes) = bytes else { return Ok(None) };
        if sha256 == Some(Sha256Hash::of(bytes).as_bytes()) {
            Ok(Some(bytes))
        } else {
            Err(self
                .damaged("its manifest store is not the one that was kept: its SHA-256 differs".to_owned()))
        }
    }

    pub(super) fn damaged(&self, reason: String) -> ProofStoreError {
        ProofStoreError::Damaged { id: self.id, reason }
    }
}

/// A value of a row.
pub(super) fn value<'a, T: FromSql<'a>>(row: &'a Row, name: &'static str) -> Result<T, ProofStoreError> {
    row.try_get(name).map_err(|error| {
        ProofStoreError::Unavailable(format!(
            "the column {name} is not what CredLink made it: {error}; was the database changed by hand?"
        ))
    })
}

/// The record as it is kept.
pub(super) fn to_json(record: &ProofRecord) -> Result<String, ProofStoreError> {
    let damaged = |reason| ProofStoreError::Damaged { id: record.id, reason };
    let json = serde_json::to_string(record)
        .map_err(|error| damaged(format!("its record cannot be written: {error}")))?;
    if json.len() > MAX_RECORD_BYTES {
        let length = json.len();
        return Err(damaged(format!("its record has {length} bytes; {MAX_RECORD_BYTES} can be kept")));
    }
    Ok(json)
}

/// A length as the database counts it.
pub(super) fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
