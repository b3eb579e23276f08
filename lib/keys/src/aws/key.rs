//! A key in KMS, by its public half.

use aws_sdk_kms::{
    Client,
    operation::get_public_key::GetPublicKeyOutput,
    types::{KeySpec, KeyUsageType},
};
use credlink_aws::Fault;
use x509_parser::{prelude::FromDer, x509::SubjectPublicKeyInfo};

use super::{error::KmsKeyError, record::check_key_arn};
use crate::algorithm::KeyKind;

/// A KMS key that can sign images. Its private half never leaves KMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsKey {
    arn: String,
    kind: KeyKind,
    public_key_info: Vec<u8>,
    public_key: Vec<u8>,
}

impl KmsKey {
    /// Reads the public key of `key`, an ARN, an id or an alias. Needs `kms:GetPublicKey`.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html>
    ///
    /// # Errors
    /// When KMS does not show it, or when it is not a key for signatures that C2PA allows.
    pub async fn read(client: &Client, key: &str) -> Result<Self, KmsKeyError> {
        let answer = client.get_public_key().key_id(key).send().await;
        let answer = answer.map_err(|error| match Fault::of(&error) {
            Fault::Transient(reason) => KmsKeyError::Unavailable(reason),
            Fault::Permanent(reason) => KmsKeyError::Refused { key: key.to_owned(), reason },
        })?;
        Self::of(answer, key)
    }

    /// Its ARN, never an alias.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key as `SubjectPublicKeyInfo` in DER (RFC 5280, 4.1.2.7).
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// The bit string in it.
    pub(super) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn of(answer: GetPublicKeyOutput, asked: &str) -> Result<Self, KmsKeyError> {
        let bad = |missing| KmsKeyError::BadAnswer { key: asked.to_owned(), missing };
        let arn = answer.key_id.ok_or_else(|| bad("no key id"))?;
        check_key_arn(&arn).map_err(|_| bad("the key id is no ARN of a key"))?;
        let usage = answer.key_usage.ok_or_else(|| bad("no key usage"))?;
        if usage != KeyUsageType::SignVerify {
            return Err(KmsKeyError::NotForSigning { key: arn, usage: usage.as_str().to_owned() });
        }
        let spec = answer.key_spec.ok_or_else(|| bad("no key spec"))?;
        let Some(kind) = kind_of(&spec) else {
            return Err(KmsKeyError::UnsupportedSpec { key: arn, spec: spec.as_str().to_owned() });
        };
        let public_key_info = answer.public_key.ok_or_else(|| bad("no public key"))?.into_inner();
        Self::known(&arn, kind, &public_key_info)
    }

    /// A key whose public half, `SubjectPublicKeyInfo` in DER, was read before.
    pub(super) fn known(arn: &str, kind: KeyKind, public_key_info: &[u8]) -> Result<Self, KmsKeyError> {
        let bad = |missing| KmsKeyError::BadAnswer { key: arn.to_owned(), missing };
        let (rest, parsed) = SubjectPublicKeyInfo::from_der(public_key_info)
            .map_err(|_| bad("the public key is no SubjectPublicKeyInfo"))?;
        if !rest.is_empty() {
            return Err(bad("more than a public key"));
        }
        let public_key = parsed.subject_public_key.data.to_vec();
        Ok(Self { arn: arn.to_owned(), kind, public_key_info: public_key_info.to_vec(), public_key })
    }
}

/// The kind of key that KMS calls `spec`, such as `RSA_4096`; `None` when C2PA or this project does not sign with it.
pub fn key_kind(spec: &str) -> Option<KeyKind> {
    kind_of(&KeySpec::from(spec))
}

fn kind_of(spec: &KeySpec) -> Option<KeyKind> {
    match spec {
        KeySpec::Rsa2048 => Some(KeyKind::Rsa2048),
        KeySpec::Rsa3072 => Some(KeyKind::Rsa3072),
        KeySpec::Rsa4096 => Some(KeyKind::Rsa4096),
        KeySpec::EccNistP256 => Some(KeyKind::P256),
        KeySpec::EccNistP384 => Some(KeyKind::P384),
        _ => None,
    }
}
