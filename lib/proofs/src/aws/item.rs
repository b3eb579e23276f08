//! How proofs lie in the table: keys, attributes, and what they mean.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{ProofId, ProofRecord, ProofStoreError},
};
use uuid::Uuid;

pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";
pub(super) const RECORD: &str = "record";
pub(super) const BLOB: &str = "blob";
pub(super) const TTL: &str = "ttl";

/// Where manifest stores lie in the bucket: `manifests/<proof id>/<random uuid>`. The stamped copy of one has its name, a
/// dot and the SHA-256 of the copy.
pub(crate) const BLOB_PREFIX: &str = "manifests/";

/// How the partition keys of records begin.
pub(super) const PROOF_PREFIX: &str = "proof#";
const IMAGE_PREFIX: &str = "image#";

/// How the partition keys of idempotency keys begin. They lie in the same table, each with a `ttl`.
const IDEMPOTENCY_PREFIX: &str = "idempotency#";

/// The longest record, in bytes of JSON. An item may have 400 KB, its keys and the names of attributes included.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub(crate) const MAX_RECORD_BYTES: usize = 384 << 10;

/// An item as the SDK has it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The key of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    /// Of the record of a proof.
    pub(super) fn of_record(id: ProofId) -> Self {
        Self { pk: format!("{PROOF_PREFIX}{id}"), sk: "record".to_owned() }
    }

    /// Of what finds `record` by its image's hash. The newest of an image sorts last.
    pub(super) fn of_look_up(record: &ProofRecord) -> Self {
        Self { pk: image_pk(record.image_hash), sk: format!("{}#{}", record.created_at, record.id) }
    }

    /// Of nothing: for a look whether the table answers.
    pub(super) fn of_nothing() -> Self {
        Self { pk: "check".to_owned(), sk: "check".to_owned() }
    }

    /// Of an item that was read.
    pub(super) fn of_item(item: &Item) -> Option<Self> {
        Some(Self { pk: text(item, PK)?.to_owned(), sk: text(item, SK)?.to_owned() })
    }

    /// As the SDK takes it.
    pub(super) fn to_attributes(&self) -> Item {
        HashMap::from([
            (PK.to_owned(), AttributeValue::S(self.pk.clone())),
            (SK.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// The partition that holds the look-ups of an image.
pub(super) fn image_pk(hash: Sha256Hash) -> String {
    format!("{IMAGE_PREFIX}{hash}")
}

/// The proof that owns the item with the partition key `pk`; `None` when it is no proof's record.
pub(super) fn proof_of_pk(pk: &str) -> Option<ProofId> {
    pk.strip_prefix(PROOF_PREFIX)?.parse().ok()
}

/// The proof that a manifest store in the bucket was written for; `None` when it is no such object.
pub(crate) fn proof_of_blob(blob: &str) -> Option<ProofId> {
    let (id, name) = blob.strip_prefix(BLOB_PREFIX)?.split_once('/')?;
    if name.is_empty() { None } else { id.parse().ok() }
}

/// The manifest store that an object is, or is the stamped copy of.
pub(crate) fn original_of(blob: &str) -> &str {
    blob.split_once('.').map_or(blob, |(original, _)| original)
}

/// A proof's record together with the object that holds its manifest store. No other put ever writes the same
/// object, so the name of the object also tells one put of an id from the next.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) record: ProofRecord,
    pub(crate) blob: String,
}

impl Entry {
    /// For a new proof.
    pub(super) fn new(record: ProofRecord) -> Self {
        let blob = format!("{BLOB_PREFIX}{}/{}", record.id, Uuid::new_v4());
        Self { record, blob }
    }

    /// The object with its stamped copy; `None` when it has none.
    pub(crate) fn stamped_blob(&self) -> Option<String> {
        Some(format!("{}.{}", self.blob, self.record.stamped?.manifest_hash))
    }

    /// What `item`, a record or a look-up, holds of the proof `id`.
    pub(super) fn parse(id: ProofId, item: &Item) -> Result<Self, ProofStoreError> {
        let damaged = |reason: String| ProofStoreError::Damaged { id, reason };
        let missing = |name| damaged(format!("its item has no text `{name}`"));
        let json = text(item, RECORD).ok_or_else(|| missing(RECORD))?;
        let blob = text(item, BLOB).ok_or_else(|| missing(BLOB))?;
        let record: ProofRecord = serde_json::from_str(json)
            .map_err(|error| damaged(format!("its record cannot be read: {error}")))?;
        if record.id != id {
            return Err(damaged(format!("its item holds proof {}", record.id)));
        }
        if proof_of_blob(blob) != Some(id) {
            return Err(damaged("its item names an object that is not its own".to_owned()));
        }
        Ok(Self { record, blob: blob.to_owned() })
    }

    /// The two items of the proof: the record, and what finds it by its image's hash.
    pub(super) fn to_items(&self) -> Result<[Item; 2], ProofStoreError> {
        let damaged = |reason| ProofStoreError::Damaged { id: self.record.id, reason };
        let json = serde_json::to_string(&self.record)
            .map_err(|error| damaged(format!("its record cannot be written: {error}")))?;
        if json.len() > MAX_RECORD_BYTES {
            let length = json.len();
            return Err(damaged(format!("its record has {length} bytes; {MAX_RECORD_BYTES} can be kept")));
        }
        let keys = [Key::of_record(self.record.id), Key::of_look_up(&self.record)];
        Ok(keys.map(|key| {
            let mut item = key.to_attributes();
            item.insert(RECORD.to_owned(), AttributeValue::S(json.clone()));
            item.insert(BLOB.to_owned(), AttributeValue::S(self.blob.clone()));
            item.insert(TTL.to_owned(), AttributeValue::N(self.ttl().to_string()));
            item
        }))
    }

    /// When DynamoDB may remove the items, in seconds since 1970: never before the proof expires, and within a
    /// second after it. It takes no negative time.
    fn ttl(&self) -> i64 {
        self.record.expires_at.unix_seconds().saturating_add(1).max(0)
    }
}

/// What an item of the table is to a proof.
#[derive(Debug)]
pub(super) enum Kind {
    /// A proof's record, or why it cannot be read.
    Record(ProofId, Result<Entry, ProofStoreError>),
    /// What finds a proof, or why it cannot be read.
    LookUp(ProofId, Key, Result<Entry, ProofStoreError>),
    /// An idempotency key, and when its time is over, in seconds since 1970.
    IdempotencyKey(Key, i64),
    /// Something else lives in this table too.
    Other,
}

impl Kind {
    /// Of an item that was read.
    pub(super) fn of(item: &Item) -> Self {
        let Some(key) = Key::of_item(item) else { return Self::Other };
        if let Some(id) = proof_of_pk(&key.pk).filter(|id| key == Key::of_record(*id)) {
            return Self::Record(id, Entry::parse(id, item));
        }
        if let Some(id) = proof_of_look_up(&key) {
            return Self::LookUp(id, key, Entry::parse(id, item));
        }
        match ttl_of(item).filter(|_| key.pk.starts_with(IDEMPOTENCY_PREFIX)) {
            Some(ttl) => Self::IdempotencyKey(key, ttl),
            None => Self::Other,
        }
    }
}

fn ttl_of(item: &Item) -> Option<i64> {
    item.get(TTL)?.as_n().ok()?.parse().ok()
}

fn proof_of_look_up(key: &Key) -> Option<ProofId> {
    if !key.pk.starts_with(IMAGE_PREFIX) {
        return None;
    }
    key.sk.rsplit_once('#')?.1.parse().ok()
}

/// The text of an attribute.
pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}
