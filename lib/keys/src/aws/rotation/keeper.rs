//! Keys in KMS, made for rotations.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_kms::{Client, types::KeyState};
use credlink_pipeline::signer::Signer;

use super::{
    record_fault,
    signature::sign_as_x509,
    tagged_keys::{self, ROTATION_TAG, TaggedKey, TaggedKeys},
};
use crate::{
    algorithm::KeyKind,
    aws::{key::KmsKey, records::SignerRecords, signer::KmsSigner},
    chain::Chain,
    pem_file::PemFile,
    rotation::ports::{CandidateKey, Fault, KeyKeeper, KeyName, RotationId},
};

/// When a key that never signed is gone: the least that KMS allows.
const DISCARD_DAYS: i32 = 7;
/// When a key that signed is gone: the longest that KMS allows for somebody to object.
const DELETE_DAYS: i32 = 30;

/// The keys of one stack in KMS. The tag `credlink:rotation` says which rotation a key was made for; the table says
/// which of them became signers.
#[derive(Clone, Debug)]
pub struct KmsKeyKeeper {
    keys: TaggedKeys,
    records: SignerRecords,
}

impl KmsKeyKeeper {
    /// The keys of the stack `stack`, whose signers are written down in `records`.
    ///
    /// Takes `kms:ListKeys`, `kms:ListResourceTags`, `kms:CreateKey`, `kms:TagResource`, `kms:DescribeKey`,
    /// `kms:GetPublicKey`, `kms:Sign`, `kms:DisableKey` and `kms:ScheduleKeyDeletion`.
    pub fn new(client: Client, stack: impl Into<String>, records: SignerRecords) -> Self {
        Self { keys: TaggedKeys::new(client, stack.into()), records }
    }

    /// Waits no longer than `patience` for the right to sign with a new key.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { keys: self.keys.with_patience(patience), ..self }
    }

    async fn candidate(&self, tagged: TaggedKey) -> Result<Option<CandidateKey>, Fault> {
        // A tag that was changed by hand names no rotation: the key is nobody's then, and not touched.
        let Ok(rotation) = tagged.value.parse() else { return Ok(None) };
        if !self.keys.is_kept(&tagged.arn).await? {
            return Ok(None);
        }
        Ok(Some(candidate(&self.keys.read(&tagged.arn).await?, rotation)))
    }

    /// The ARNs of all keys that ever signed.
    async fn signers(&self) -> Result<Vec<String>, Fault> {
        self.records.key_arns().await.map_err(|error| record_fault::of(&error))
    }

    /// That the key `arn` is not what signs now.
    async fn check_inactive(&self, arn: &str, verb: &str) -> Result<(), Fault> {
        let active = self.records.active().await.map_err(|error| record_fault::of(&error))?;
        match active {
            Some(active) if active.key_arn() == arn => {
                Err(refused(arn, &format!("it signs, so it is not {verb}")))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl KeyKeeper for KmsKeyKeeper {
    async fn make(&self, rotation: RotationId, kind: KeyKind) -> Result<CandidateKey, Fault> {
        let value = rotation.to_string();
        for tagged in self.keys.with_tag(ROTATION_TAG).await? {
            if tagged.value == value
                && let Some(found) = self.candidate(tagged).await?
            {
                return Ok(found);
            }
        }
        let key = self.keys.make(kind, ROTATION_TAG, &value).await?;
        Ok(candidate(&key, rotation))
    }

    async fn candidates(&self) -> Result<Vec<CandidateKey>, Fault> {
        let tagged = self.keys.with_tag(ROTATION_TAG).await?;
        // Asked afterwards: a key that became a signer in between is among them.
        let signers = self.signers().await?;
        let mut candidates = Vec::new();
        for tagged in tagged.into_iter().filter(|tagged| !signers.contains(&tagged.arn)) {
            candidates.extend(self.candidate(tagged).await?);
        }
        Ok(candidates)
    }

    async fn sign_request(&self, key: &CandidateKey, message: &[u8]) -> Result<Vec<u8>, Fault> {
        sign_as_x509(&self.keys, &key.name.0, key.kind, message).await
    }

    async fn signer(&self, key: &CandidateKey, chain: &PemFile) -> Result<Arc<dyn Signer>, Fault> {
        let unfit = |problem: String| refused(&key.name.0, &problem);
        let kms_key = kms_key(key)?;
        let chain = Chain::read(chain).map_err(|error| unfit(error.to_string()))?;
        let matching = chain.check_public_key(kms_key.kind(), kms_key.public_key(), kms_key.arn());
        matching.map_err(|error| unfit(error.to_string()))?;
        let signer = KmsSigner::over(key.name.0.clone(), Arc::new(chain), self.keys.client().clone());
        Ok(Arc::new(signer.map_err(|error| unfit(error.to_string()))?))
    }

    async fn discard(&self, key: &CandidateKey) -> Result<(), Fault> {
        let arn = &key.name.0;
        if self.signers().await?.contains(arn) {
            return Ok(());
        }
        self.keys.schedule_deletion(arn, DISCARD_DAYS).await
    }

    async fn disable(&self, key: &KeyName) -> Result<(), Fault> {
        self.check_inactive(&key.0, "disabled").await?;
        self.keys.disable(&key.0).await
    }

    async fn delete(&self, key: &KeyName) -> Result<(), Fault> {
        self.check_inactive(&key.0, "deleted").await?;
        self.keys.schedule_deletion(&key.0, DELETE_DAYS).await
    }

    async fn check(&self, key: &KeyName) -> Result<(), Fault> {
        let arn = &key.0;
        let fault = |problem: &str, fix: String, passing| Fault {
            resource: tagged_keys::resource(arn),
            problem: problem.to_owned(),
            fix,
            passing,
        };
        let enable = format!("aws kms enable-key --key-id {arn}");
        let another = format!("credlink keys rotate --force --table {}", self.records.table());
        let state = match self.keys.describe(arn).await? {
            Some(metadata) => metadata.key_state,
            None => return Err(fault("it is gone", format!("run `{another}` for a new one"), false)),
        };
        match state {
            Some(KeyState::Enabled) => Ok(()),
            Some(KeyState::Disabled) => {
                Err(fault("it is disabled", format!("run `{enable}`, or `{another}` for a new one"), false))
            }
            Some(state) if tagged_keys::is_leaving(&state) => {
                let cancel = format!("aws kms cancel-key-deletion --key-id {arn}");
                Err(fault("it will be deleted", format!("run `{cancel}` and `{enable}`"), false))
            }
            other => {
                let state = other.as_ref().map_or("unknown", KeyState::as_str);
                let fix = "nothing needs to be done if it passes by itself".to_owned();
                Err(fault(&format!("its state is {state}"), fix, true))
            }
        }
    }
}

/// The key of a candidate, which came from KMS before.
pub(super) fn kms_key(candidate: &CandidateKey) -> Result<KmsKey, Fault> {
    KmsKey::known(&candidate.name.0, candidate.kind, &candidate.public_key_info)
        .map_err(|error| refused(&candidate.name.0, &error.to_string()))
}

fn candidate(key: &KmsKey, rotation: RotationId) -> CandidateKey {
    CandidateKey {
        name: KeyName(key.arn().to_owned()),
        rotation,
        kind: key.kind(),
        public_key_info: key.public_key_info().to_vec(),
    }
}

fn refused(arn: &str, problem: &str) -> Fault {
    Fault {
        resource: tagged_keys::resource(arn),
        problem: problem.to_owned(),
        fix: "begin a new rotation with `credlink keys rotate --force`".to_owned(),
        passing: false,
    }
}
