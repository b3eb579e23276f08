//! Who signs and who did, as a rotation sees it: the records in the table.

use async_trait::async_trait;
use credlink_pipeline::timestamp::Timestamp;

use super::{keeper, record_fault};
use crate::{
    aws::{
        error::RecordsError, item::ACTIVE, new_signer::NewSigner, record::SignerRecord,
        records::SignerRecords,
    },
    pem_file::PemFile,
    rotation::ports::{CandidateKey, Fault, KeyName, SignerVersion, SignerVersions, SwapError},
};

#[async_trait]
impl SignerVersions for SignerRecords {
    fn place(&self) -> String {
        format!("table {} (pk=signer, sk={ACTIVE})", self.table())
    }

    async fn active(&self) -> Result<Option<SignerVersion>, Fault> {
        let active = Self::active(self).await.map_err(|error| record_fault::of(&error))?;
        Ok(active.as_ref().map(version))
    }

    async fn all(&self) -> Result<Vec<SignerVersion>, Fault> {
        let versions = self.versions().await.map_err(|error| record_fault::of(&error))?;
        Ok(versions.iter().map(version).collect())
    }

    async fn swap(
        &self,
        key: &CandidateKey,
        chain: &PemFile,
        root: &PemFile,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError> {
        let new = NewSigner::new(&keeper::kms_key(key)?, chain, root, now);
        let new = new.map_err(|error| Fault {
            resource: SignerVersions::place(self),
            problem: error.to_string(),
            fix: "begin a new rotation with `credlink keys rotate --force`".to_owned(),
            passing: false,
        })?;
        match self.activate(&new, expectation(expected)?, now).await {
            Ok(record) => Ok(version(&record)),
            // An earlier attempt whose answer was lost, or its rotation killed.
            Err(RecordsError::LostRace { .. }) => {
                match Self::active(self).await.map_err(|error| record_fault::of(&error))? {
                    Some(active) if active.is(new.key_arn(), new.chain()) => Ok(version(&active)),
                    _ => Err(SwapError::LostRace),
                }
            }
            Err(error) => Err(record_fault::of_swap(error)),
        }
    }

    async fn restore(
        &self,
        earlier: &str,
        expected: Option<&str>,
        now: Timestamp,
    ) -> Result<SignerVersion, SwapError> {
        let number = earlier.parse().map_err(|_| {
            let problem = format!("{earlier:?} is no version");
            Fault::lasting(SignerVersions::place(self), problem, "choose one of `credlink keys history`")
        })?;
        let restored = Self::restore(self, number, expectation(expected)?, now).await;
        restored.map(|record| version(&record)).map_err(record_fault::of_swap)
    }
}

/// The number that the expected version has. One that is none has never been active.
fn expectation(version: Option<&str>) -> Result<Option<u64>, SwapError> {
    version.map(|version| version.parse().map_err(|_| SwapError::LostRace)).transpose()
}

fn version(record: &SignerRecord) -> SignerVersion {
    SignerVersion {
        version: record.version().to_string(),
        key: KeyName(record.key_arn().to_owned()),
        kind: record.kind(),
        chain: record.chain().to_vec(),
        not_after: record.not_after(),
        activated_at: record.activated_at(),
    }
}
