//! An authority elsewhere: the request lies in a bucket, and somebody brings the certificate back.
//!
//! | object | |
//! |---|---|
//! | `rotation/<id>.csr.pem` | the request |
//! | `rotation/<id>.chain.pem` | what somebody brings: the leaf, then its issuers |
//! | `rotation/<id>.root.pem` | the root, unless it stands at the end of the chain or is trusted already |

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::{Client, primitives::ByteStream};
use credlink_aws::whole_body;
use credlink_pipeline::timestamp::Timestamp;
use tokio::time;

use super::{
    call::{self, Call},
    record_fault,
};
use crate::{
    aws::{record::SignerRecord, records::SignerRecords},
    chain,
    pem_file::{self, MAX_FILE_BYTES, PemFile},
    rotation::ports::{Authority, Fault, Issuance, RotationId},
    trust,
};

/// How long an object may take from its first byte to its last.
const MAX_BODY_TIME: Duration = Duration::from_secs(10);

/// The requests and certificates of one installation in a bucket. Takes `s3:PutObject`, `s3:GetObject` and
/// `s3:DeleteObject` on `rotation/*`, and `s3:ListBucket`, without which a missing object looks like a forbidden one.
#[derive(Clone, Debug)]
pub struct DropBox {
    client: Client,
    bucket: String,
    records: SignerRecords,
}

impl DropBox {
    /// Below `rotation/` in `bucket`; for the signers in `records`.
    pub fn new(client: Client, bucket: impl Into<String>, records: SignerRecords) -> Self {
        Self { client, bucket: bucket.into(), records }
    }

    /// The request of a rotation, PEM; `None` when there is none.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn published(&self, rotation: RotationId) -> Result<Option<PemFile>, Fault> {
        self.read(&request_key(rotation)).await
    }

    /// Brings a certificate back; the root goes first, so that a chain never lies there alone.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn bring(
        &self,
        rotation: RotationId,
        chain: &PemFile,
        root: Option<&PemFile>,
    ) -> Result<(), Fault> {
        if let Some(root) = root {
            self.write(&root_key(rotation), root.bytes()).await?;
        }
        self.write(&chain_key(rotation), chain.bytes()).await
    }

    async fn write(&self, key: &str, bytes: &[u8]) -> Result<(), Fault> {
        let place = self.place(key);
        let call = Call { resource: &place, permission: "s3:PutObject" };
        let request =
            self.client.put_object().bucket(&self.bucket).key(key).content_type("application/x-pem-file");
        let answer = request.body(ByteStream::from(bytes.to_vec())).send().await;
        answer.map(drop).map_err(|error| call.failed(&error))
    }

    async fn read(&self, key: &str) -> Result<Option<PemFile>, Fault> {
        let place = self.place(key);
        let call = Call { resource: &place, permission: "s3:GetObject" };
        let answer = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if call::has_code(&error, &["NoSuchKey"]) => return Ok(None),
            Err(error) => return Err(call.failed(&error)),
        };
        let limit = usize::try_from(MAX_FILE_BYTES).unwrap_or(usize::MAX);
        let body = time::timeout(MAX_BODY_TIME, whole_body(answer.body, 0, limit)).await;
        let unread = |problem: String, passing| Fault {
            resource: place.clone(),
            problem,
            fix: "put a PEM file of at most 256 KB there".to_owned(),
            passing,
        };
        let bytes =
            body.map_err(|_| unread(format!("S3 did not send it within {MAX_BODY_TIME:?}"), true))?.map_err(
                |error| unread(error.to_string(), !matches!(error, credlink_aws::BodyError::TooLong { .. })),
            )?;
        PemFile::new(place.clone(), bytes).map(Some).map_err(|error| unread(error.to_string(), false))
    }

    async fn remove(&self, key: &str) -> Result<(), Fault> {
        let place = self.place(key);
        let call = Call { resource: &place, permission: "s3:DeleteObject" };
        let answer = self.client.delete_object().bucket(&self.bucket).key(key).send().await;
        answer.map(drop).map_err(|error| call.failed(&error))
    }

    /// The root of `chain`, when it needs not be brought: it ends the chain, or is trusted here.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn known_root(&self, chain: &PemFile) -> Result<Option<PemFile>, Fault> {
        // A chain that cannot be read is refused by whoever checks it; it needs no root for that.
        let Ok(certificates) = chain.certificates() else { return root_file(chain.bytes()).map(Some) };
        let last = certificates.last().map(Vec::as_slice).unwrap_or_default();
        if chain::is_issued_by(last, last) {
            return root_file(pem_file::encode("CERTIFICATE", last).as_bytes()).map(Some);
        }
        let active = self.records.active().await.map_err(|error| record_fault::of(&error))?;
        let anchors = active.as_ref().map(SignerRecord::anchor_certificates).unwrap_or_default();
        let root = anchors.iter().find(|anchor| trust::leads_to(last, std::slice::from_ref(anchor)));
        root.map(|root| root_file(pem_file::encode("CERTIFICATE", root).as_bytes())).transpose()
    }

    /// The root of `chain`: the one that was brought, or one that needs not be.
    async fn root(&self, rotation: RotationId, chain: &PemFile) -> Result<Option<PemFile>, Fault> {
        match self.read(&root_key(rotation)).await? {
            Some(root) => Ok(Some(root)),
            None => self.known_root(chain).await,
        }
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

#[async_trait]
impl Authority for DropBox {
    fn name(&self) -> String {
        format!("an authority elsewhere, by s3://{}/rotation/", self.bucket)
    }

    /// The receipt is the place of the request.
    async fn request(&self, rotation: RotationId, request: &[u8], _now: Timestamp) -> Result<String, Fault> {
        let (key, pem) = (request_key(rotation), pem_file::encode("CERTIFICATE REQUEST", request));
        self.write(&key, pem.as_bytes()).await?;
        Ok(self.place(&key))
    }

    async fn collect(&self, rotation: RotationId, receipt: &str, _now: Timestamp) -> Result<Issuance, Fault> {
        let Some(chain) = self.read(&chain_key(rotation)).await? else {
            let reason = format!(
                "the request {receipt} waits for its certificate: have it issued, and bring it back with `credlink keys \
                 import --chain chain.pem --root root.pem --table {}`, or put the chain at {} and its root at {}",
                self.records.table(),
                self.place(&chain_key(rotation)),
                self.place(&root_key(rotation))
            );
            return Ok(Issuance::Waiting { reason });
        };
        match self.root(rotation, &chain).await? {
            Some(root) => Ok(Issuance::Issued { chain, root }),
            None => {
                let reason = format!(
                    "the chain {} came without its root, which nobody trusts here yet: put the root at {}",
                    chain.name(),
                    self.place(&root_key(rotation))
                );
                Ok(Issuance::Waiting { reason })
            }
        }
    }

    async fn forget(&self, rotation: RotationId, _receipt: &str) -> Result<(), Fault> {
        for key in [chain_key(rotation), root_key(rotation), request_key(rotation)] {
            self.remove(&key).await?;
        }
        Ok(())
    }
}

fn root_file(pem: &[u8]) -> Result<PemFile, Fault> {
    let file = PemFile::new("the root of the chain", pem.to_vec());
    file.map_err(|error| Fault::lasting("the root of the chain", error.to_string(), "bring another one"))
}

fn request_key(rotation: RotationId) -> String {
    format!("rotation/{rotation}.csr.pem")
}

fn chain_key(rotation: RotationId) -> String {
    format!("rotation/{rotation}.chain.pem")
}

fn root_key(rotation: RotationId) -> String {
    format!("rotation/{rotation}.root.pem")
}
