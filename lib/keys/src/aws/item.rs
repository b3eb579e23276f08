//! A signer's record as an item of the table.
//!
//! | attribute | type | |
//! |---|---|---|
//! | `pk`, `sk` | S | `signer` and `active`, or `version#` with ten digits |
//! | `version` | N | counted from one |
//! | `keyArn` | S | the KMS key |
//! | `keyKind`, `algorithm` | S | `rsa-2048` and `ps256`, … |
//! | `chain` | L of B | DER, leaf first, without the root |
//! | `anchors` | S | PEM |
//! | `notBefore`, `notAfter` | S | of the leaf, RFC 3339 |
//! | `activatedAt` | S | RFC 3339 |

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use credlink_pipeline::timestamp::Timestamp;

use super::record::{Parts, SignerRecord};

/// An item of the table.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The partition key of all signers.
pub(super) const PARTITION: &str = "signer";
/// The sort key of the active one.
pub(super) const ACTIVE: &str = "active";
/// What the sort keys of the copies begin with.
pub(super) const VERSION_PREFIX: &str = "version#";
/// The highest version: sort keys have ten digits.
pub(super) const MAX_VERSION: u64 = 9_999_999_999;

/// The sort key of the copy of a version.
pub(super) fn version_key(version: u64) -> String {
    format!("{VERSION_PREFIX}{version:010}")
}

/// The version in the sort key of a copy.
pub(super) fn version_of(item: &Item) -> Option<u64> {
    let digits = item.get("sk")?.as_s().ok()?.strip_prefix(VERSION_PREFIX)?;
    digits.parse().ok().filter(|version| *version <= MAX_VERSION)
}

/// The key of an item.
pub(super) fn key(sk: &str) -> Item {
    HashMap::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(sk))])
}

/// `record` as the item with the sort key `sk`.
pub(super) fn write(record: &SignerRecord, sk: &str) -> Item {
    let mut item = key(sk);
    let attributes = [
        ("version", number(record.version())),
        ("keyArn", text(record.key_arn())),
        ("keyKind", text(record.kind().name())),
        ("algorithm", text(record.algorithm().name())),
        ("chain", certificates(record.chain())),
        ("anchors", text(record.anchors())),
        ("activatedAt", text(&record.activated_at().to_string())),
    ];
    item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
    if let Some(leaf) = record.certificates().first() {
        item.insert("notBefore".to_owned(), text(&leaf.not_before.to_string()));
        item.insert("notAfter".to_owned(), text(&leaf.not_after.to_string()));
    }
    item
}

/// Reads and checks an item, which messages call `name`; when it is no usable record, says why.
pub(super) fn read(item: &Item, name: &str) -> Result<SignerRecord, String> {
    let attributes = Attributes(item);
    let version = attributes.number("version")?;
    if !(1..=MAX_VERSION).contains(&version) {
        return Err(format!("its attribute `version` is {version}"));
    }
    let record = SignerRecord::new(
        name,
        Parts {
            version,
            key_arn: attributes.text("keyArn")?.to_owned(),
            chain: attributes.certificates("chain")?,
            anchors: attributes.text("anchors")?.to_owned(),
            activated_at: attributes.time("activatedAt")?,
        },
    )?;
    attributes.says("keyKind", record.kind().name())?;
    attributes.says("algorithm", record.algorithm().name())?;
    let leaf = record.certificates().first().ok_or("its chain is empty")?;
    attributes.says("notBefore", &leaf.not_before.to_string())?;
    attributes.says("notAfter", &leaf.not_after.to_string())?;
    Ok(record)
}

/// A text attribute.
pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A number attribute.
pub(super) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A list of certificates in DER.
pub(super) fn certificates(ders: &[Vec<u8>]) -> AttributeValue {
    AttributeValue::L(ders.iter().map(|der| AttributeValue::B(Blob::new(der.clone()))).collect())
}

/// The attributes of an item, read strictly.
pub(super) struct Attributes<'a>(pub(super) &'a Item);

impl<'a> Attributes<'a> {
    pub(super) fn text(&self, name: &str) -> Result<&'a str, String> {
        self.read(name, |value| value.as_s().ok().map(String::as_str))
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, String> {
        self.read(name, |value| value.as_n().ok()?.parse().ok())
    }

    fn time(&self, name: &str) -> Result<Timestamp, String> {
        self.read(name, |value| Timestamp::parse(value.as_s().ok()?).ok())
    }

    /// Certificates in DER.
    pub(super) fn certificates(&self, name: &str) -> Result<Vec<Vec<u8>>, String> {
        self.read(name, |value| {
            let certificates = value.as_l().ok()?.iter();
            certificates.map(|der| der.as_b().ok().map(|der| der.as_ref().to_vec())).collect()
        })
    }

    /// That an attribute says the same as the certificates do.
    fn says(&self, name: &str, expected: &str) -> Result<(), String> {
        if self.text(name)? == expected {
            return Ok(());
        }
        Err(format!("its attribute `{name}` is not {expected}, as its leaf certificate says"))
    }

    fn read<T>(&self, name: &str, parse: impl FnOnce(&'a AttributeValue) -> Option<T>) -> Result<T, String> {
        let value = self.0.get(name).ok_or_else(|| format!("its attribute `{name}` is missing"))?;
        parse(value).ok_or_else(|| format!("its attribute `{name}` cannot be read"))
    }
}
