//! What the objects of one put are called.

use credlink_pipeline::{
    digest::Sha256Hash,
    proof::{ProofId, ProofRecord},
    timestamp::Timestamp,
};
use uuid::Uuid;

use crate::aws::item::{BLOB_PREFIX, proof_of_blob};

/// Where look-ups lie.
const IMAGE_PREFIX: &str = "images/";

/// What stands between the parts of a name. No part has one.
const BETWEEN: char = '_';

/// One put of a proof, as the names of its objects tell it: enough to know from a list when it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PutName {
    pub(super) id: ProofId,
    pub(super) image_hash: Sha256Hash,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    /// Tells it from all other puts.
    nonce: Uuid,
}

impl PutName {
    /// For a new put.
    pub(super) fn new(record: &ProofRecord) -> Self {
        Self {
            id: record.id,
            image_hash: record.image_hash,
            created_at: record.created_at,
            expires_at: record.expires_at,
            nonce: Uuid::new_v4(),
        }
    }

    /// The object with the manifest store: `manifests/<id>/<created>_<expires>_<image hash>_<nonce>`.
    pub(super) fn blob(&self) -> String {
        let Self { id, image_hash, nonce, .. } = self;
        let (created, expires) = (sortable(self.created_at), sortable(self.expires_at));
        format!("{BLOB_PREFIX}{id}/{created:016x}_{expires:016x}_{image_hash}_{nonce}")
    }

    /// The object that finds the proof by its image: `images/<image hash>/<created>_<expires>_<id>_<nonce>`. The time is
    /// turned round there, so that the newest comes first in a list.
    pub(super) fn look_up(&self) -> String {
        let Self { id, nonce, .. } = self;
        let (created, expires) = (!sortable(self.created_at), sortable(self.expires_at));
        format!("{}{created:016x}_{expires:016x}_{id}_{nonce}", image_folder(self.image_hash))
    }

    /// Of the object with a manifest store; `None` when it has no such name.
    pub(super) fn of_blob(blob: &str) -> Option<Self> {
        let (id, [created, expires, hash, nonce]) = (proof_of_blob(blob)?, parts(blob)?);
        let name = Self {
            id,
            image_hash: hash.parse().ok()?,
            created_at: time(number(created)?)?,
            expires_at: time(number(expires)?)?,
            nonce: nonce.parse().ok()?,
        };
        Some(name).filter(|name| name.blob() == blob)
    }

    /// Of what finds a proof; `None` when it has no such name.
    pub(super) fn of_look_up(key: &str) -> Option<Self> {
        let (hash, _) = key.strip_prefix(IMAGE_PREFIX)?.split_once('/')?;
        let [created, expires, id, nonce] = parts(key)?;
        let name = Self {
            id: id.parse().ok()?,
            image_hash: hash.parse().ok()?,
            created_at: time(!number(created)?)?,
            expires_at: time(number(expires)?)?,
            nonce: nonce.parse().ok()?,
        };
        Some(name).filter(|name| name.look_up() == key)
    }
}

/// What the names of an image's look-ups begin with.
pub(super) fn image_folder(hash: Sha256Hash) -> String {
    format!("{IMAGE_PREFIX}{hash}/")
}

/// The four parts behind the last slash.
fn parts(key: &str) -> Option<[&str; 4]> {
    let (_, name) = key.rsplit_once('/')?;
    let mut parts = name.split(BETWEEN);
    let four = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(four)
}

/// Milliseconds since 1970, so that a later time is a greater number, before 1970 too.
fn sortable(time: Timestamp) -> u64 {
    time.unix_milliseconds().cast_unsigned() ^ (1 << 63)
}

fn time(sortable: u64) -> Option<Timestamp> {
    Timestamp::from_unix_milliseconds((sortable ^ (1 << 63)).cast_signed())
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::sample;

    fn name(created_at: &str) -> PutName {
        PutName::new(&sample(b"image", created_at).record)
    }

    #[test]
    fn both_names_are_read_again() {
        for created_at in ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "9990-01-01T00:00:00.001Z"] {
            let name = name(created_at);
            assert_eq!(PutName::of_blob(&name.blob()).as_ref(), Some(&name), "{created_at}");
            assert_eq!(PutName::of_look_up(&name.look_up()).as_ref(), Some(&name), "{created_at}");
            assert!(name.blob().len() < 200 && name.look_up().len() < 210);
        }
    }

    #[test]
    fn the_newest_look_up_comes_first() {
        let times = [
            "9999-12-31T23:59:59.999Z",
            "2026-01-01T00:00:00.001Z",
            "2026-01-01T00:00:00Z",
            "1969-01-01T00:00:00Z",
        ];
        let look_ups: Vec<String> = times.map(|time| name(time).look_up()).to_vec();
        assert!(look_ups.is_sorted());
    }

    #[test]
    fn what_is_called_otherwise_is_nobodys() {
        let name = name("2026-01-01T00:00:00Z");
        let (blob, look_up) = (name.blob(), name.look_up());
        for key in [
            "",
            "manifests/",
            "images/x/y",
            &look_up,
            &blob.to_uppercase(),
            &format!("{blob}.ab"),
            &blob[..90],
        ] {
            assert_eq!(PutName::of_blob(key), None, "{key}");
        }
        for key in ["", "images/", &blob, &format!("{look_up}_"), &look_up.replacen('/', "/0", 1)] {
            assert_eq!(PutName::of_look_up(key), None, "{key}");
        }
    }
}
