//! AWS Private CA as the authority.
//! <https://docs.aws.amazon.com/privateca/latest/userguide/PcaIssueCert.html>

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_acmpca::{
    Client,
    primitives::Blob,
    types::{
        ApiPassthrough, CertificateAuthority, CertificateAuthorityStatus, CertificateAuthorityUsageMode,
        ExtendedKeyUsage, ExtendedKeyUsageType, Extensions, KeyAlgorithm, KeyUsage, SigningAlgorithm,
        Validity, ValidityPeriodType,
    },
};
use credlink_pipeline::timestamp::Timestamp;
use tokio::time::{self, Instant};

use super::{
    call::{self, Call},
    pause::jitter,
};
use crate::{
    authority::LEAF_DAYS,
    chain,
    error::KeysError,
    pem_file::{self, PemFile},
    profile::{CLAIM_SIGNING, LEAF_VALIDITY_DAYS},
    rotation::ports::{Authority, Fault, Issuance, RotationId},
};

/// The template leaves key usage and extended key usage to us; it says CA=false, the authority key identifier and the
/// subject key identifier, and takes the subject from the request.
/// <https://docs.aws.amazon.com/privateca/latest/userguide/template-definitions.html>
const TEMPLATE: &str = "template/BlankEndEntityCertificate_CriticalBasicConstraints_APIPassthrough/V1";

/// How long a certificate is waited for in one run, unless another time is given; they come within seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// A certificate authority of AWS Private CA. Takes `acm-pca:DescribeCertificateAuthority`,
/// `acm-pca:IssueCertificate`, `acm-pca:GetCertificate` and `acm-pca:GetCertificateAuthorityCertificate` on it.
#[derive(Clone, Debug)]
pub struct PrivateCa {
    client: Client,
    arn: String,
    patience: Duration,
}

impl PrivateCa {
    /// The authority with this ARN.
    pub fn new(client: Client, arn: impl Into<String>) -> Self {
        Self { client, arn: arn.into(), patience: PATIENCE }
    }

    /// Waits no longer than `patience` for a certificate in one run.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What there is to know about it before it is asked.
    async fn describe(&self) -> Result<CertificateAuthority, Fault> {
        let name = self.name();
        let call = Call { resource: &name, permission: "acm-pca:DescribeCertificateAuthority" };
        let request = self.client.describe_certificate_authority().certificate_authority_arn(&self.arn);
        let answer = request.send().await.map_err(|error| call.failed(&error))?;
        answer.certificate_authority.ok_or_else(|| call.answered_without("authority"))
    }

    /// The PEM of the issued certificate; `None` while it is not issued.
    async fn certificate(&self, receipt: &str) -> Result<Option<String>, Fault> {
        let name = self.name();
        let call = Call { resource: &name, permission: "acm-pca:GetCertificate" };
        let request =
            self.client.get_certificate().certificate_authority_arn(&self.arn).certificate_arn(receipt);
        match request.send().await {
            Ok(answer) => answer.certificate.map(Some).ok_or_else(|| call.answered_without("certificate")),
            Err(error) if call::has_code(&error, &["RequestInProgressException"]) => Ok(None),
            Err(error) => Err(call.failed(&error)),
        }
    }

    /// [`PrivateCa::certificate`], asked again with growing pauses until it is there or patience ends.
    async fn awaited(&self, receipt: &str) -> Result<Option<String>, Fault> {
        let (end, mut pause) = (Instant::now() + self.patience, FIRST_PAUSE);
        loop {
            let found = self.certificate(receipt).await?;
            if found.is_some() || Instant::now() + pause > end {
                return Ok(found);
            }
            time::sleep(pause.mul_f64(jitter())).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The PEM of the authority's own certificate and of those above it, the root last.
    async fn issuers(&self) -> Result<String, Fault> {
        let name = self.name();
        let call = Call { resource: &name, permission: "acm-pca:GetCertificateAuthorityCertificate" };
        let request =
            self.client.get_certificate_authority_certificate().certificate_authority_arn(&self.arn);
        let answer = request.send().await.map_err(|error| call.failed(&error))?;
        let own = answer.certificate.ok_or_else(|| call.answered_without("certificate"))?;
        Ok(format!("{}\n{}\n", own.trim_end(), answer.certificate_chain.unwrap_or_default().trim_end()))
    }

    fn refused(&self, problem: String, fix: &str) -> Fault {
        Fault { resource: self.name(), problem, fix: fix.to_owned(), passing: false }
    }

    fn unusable(&self, error: &KeysError) -> Fault {
        self.refused(error.to_string(), "look at the authority and its certificates")
    }
}

#[async_trait]
impl Authority for PrivateCa {
    fn name(&self) -> String {
        format!("AWS Private CA {}", self.arn)
    }

    /// The receipt is the ARN of the certificate. The same request within five minutes gives the same one, by its
    /// token; later, another certificate for the same key, of which only one is ever used.
    async fn request(&self, rotation: RotationId, request: &[u8], now: Timestamp) -> Result<String, Fault> {
        let authority = self.describe().await?;
        self.check(&authority)?;
        let name = self.name();
        let call = Call { resource: &name, permission: "acm-pca:IssueCertificate" };
        let days = self.days(&authority, now)?;
        let validity = Validity::builder().value(days).r#type(ValidityPeriodType::Days).build();
        let issued = self
            .client
            .issue_certificate()
            .certificate_authority_arn(&self.arn)
            .template_arn(format!("arn:{}:acm-pca:::{TEMPLATE}", partition(&self.arn)))
            .api_passthrough(passthrough())
            .csr(Blob::new(pem_file::encode("CERTIFICATE REQUEST", request)))
            .signing_algorithm(self.signing_algorithm(&authority)?)
            .validity(validity.map_err(|_| call.answered_without("validity"))?)
            .idempotency_token(rotation.to_string())
            .send()
            .await
            .map_err(|error| call.failed(&error))?;
        issued.certificate_arn.ok_or_else(|| call.answered_without("certificate"))
    }

    async fn collect(
        &self,
        _rotation: RotationId,
        receipt: &str,
        _now: Timestamp,
    ) -> Result<Issuance, Fault> {
        let Some(leaf) = self.awaited(receipt).await? else {
            let reason = format!("{} is still issuing {receipt}; nobody has to do anything", self.name());
            return Ok(Issuance::Waiting { reason });
        };
        let issuers = self.issuers().await?;
        let issuers =
            PemFile::new(self.name(), issuers.into_bytes()).map_err(|error| self.unusable(&error))?;
        let certificates = issuers.certificates().map_err(|error| self.unusable(&error))?;
        let root = certificates.last().filter(|root| chain::is_issued_by(root, root)).ok_or_else(|| {
            self.refused(
                "its chain does not end with a root".to_owned(),
                "import the authority's certificate again, with its whole chain",
            )
        })?;
        let root = pem_file::encode("CERTIFICATE", root);
        let mut chain = format!("{}\n", leaf.trim_end()).into_bytes();
        chain.extend_from_slice(issuers.bytes());
        let file = |name: &str, bytes| {
            PemFile::new(format!("{name} of {}", self.name()), bytes).map_err(|error| self.unusable(&error))
        };
        Ok(Issuance::Issued { chain: file("the chain", chain)?, root: file("the root", root.into_bytes())? })
    }

    /// There is nothing to remove: an issued certificate that nobody uses stays in the authority's list.
    async fn forget(&self, _rotation: RotationId, _receipt: &str) -> Result<(), Fault> {
        Ok(())
    }
}

impl PrivateCa {
    /// That it can issue a certificate that C2PA takes.
    fn check(&self, authority: &CertificateAuthority) -> Result<(), Fault> {
        if authority.usage_mode == Some(CertificateAuthorityUsageMode::ShortLivedCertificate) {
            return Err(self.refused(
                "it is in short-lived mode, and issues for at most seven days".to_owned(),
                "name an authority in general-purpose mode in PrivateCaArn",
            ));
        }
        match &authority.status {
            Some(CertificateAuthorityStatus::Active) => Ok(()),
            other => {
                let status = other.as_ref().map_or("unknown", CertificateAuthorityStatus::as_str);
                Err(self.refused(
                    format!("its status is {status}"),
                    "make it active: install its certificate, enable it, or name another one in PrivateCaArn",
                ))
            }
        }
    }

    /// What it signs with. <https://docs.aws.amazon.com/privateca/latest/userguide/supported-algorithms.html>
    fn signing_algorithm(&self, authority: &CertificateAuthority) -> Result<SigningAlgorithm, Fault> {
        let configuration = authority.certificate_authority_configuration.as_ref();
        let key = configuration.map(|configuration| &configuration.key_algorithm);
        match key {
            Some(KeyAlgorithm::EcPrime256v1) => Ok(SigningAlgorithm::Sha256Withecdsa),
            Some(KeyAlgorithm::EcSecp384r1) => Ok(SigningAlgorithm::Sha384Withecdsa),
            Some(KeyAlgorithm::EcSecp521r1) => Ok(SigningAlgorithm::Sha512Withecdsa),
            Some(KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096) => {
                Ok(SigningAlgorithm::Sha256Withrsa)
            }
            other => {
                let key = other.map_or("unknown", KeyAlgorithm::as_str);
                Err(self.refused(
                    format!("its key is of the kind {key}, whose signatures C2PA does not allow"),
                    "name an authority with an RSA key or one on P-256, P-384 or P-521 in PrivateCaArn",
                ))
            }
        }
    }

    /// For how long a leaf can be valid: it cannot outlive the authority.
    fn days(&self, authority: &CertificateAuthority, now: Timestamp) -> Result<i64, Fault> {
        let seconds = authority.not_after.map(|not_after| not_after.secs() - now.unix_seconds());
        let days = seconds.map_or(LEAF_DAYS, |left| (left / (24 * 60 * 60) - 1).min(LEAF_DAYS));
        if days < *LEAF_VALIDITY_DAYS.start() {
            return Err(self.refused(
                format!(
                    "it expires in {days} days, too soon for a certificate of {} days",
                    LEAF_VALIDITY_DAYS.start()
                ),
                "renew the authority's own certificate",
            ));
        }
        Ok(days)
    }
}

/// The extensions of our profile.
fn passthrough() -> ApiPassthrough {
    let usage = KeyUsage::builder().digital_signature(true).non_repudiation(true).build();
    let claim_signing =
        ExtendedKeyUsage::builder().extended_key_usage_object_identifier(CLAIM_SIGNING).build();
    let email =
        ExtendedKeyUsage::builder().extended_key_usage_type(ExtendedKeyUsageType::EmailProtection).build();
    let extensions = Extensions::builder().key_usage(usage);
    let extensions = extensions.extended_key_usage(claim_signing).extended_key_usage(email).build();
    ApiPassthrough::builder().extensions(extensions).build()
}

/// The part of AWS that an ARN belongs to, such as `aws-cn`.
fn partition(arn: &str) -> &str {
    arn.split(':').nth(1).unwrap_or("aws")
}
