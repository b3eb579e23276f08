//! What a function finds in its environment, and the clients that it needs. Each is made when it is first asked for,
//! so a function has no others.

use std::{
    env,
    sync::{Arc, OnceLock},
};

use credlink_aws::{ConfigurationError, SdkConfig};
use credlink_keys::{
    KeyKind,
    aws::{ActiveSigner, CachedRecord, SignerRecords, key_kind, rotation::DeployedRotation},
};
use credlink_pipeline::{proof::ProofStoreError, timestamp::Clock as _};
use credlink_proofs::{ProofArchive, StoreLocation, aws::AwsProofStore};
use thiserror::Error;

use super::{
    anchor_objects::AnchorObjects,
    api_keys::DynamoApiKeys,
    auto_sign::AutoSign,
    failure_queue::FailureQueue,
    health_metrics::{DeadLetters, RecordedCertificateEnd},
    idempotency::DynamoIdempotency,
    identity::{KnownIdentity, SigningIdentity},
    job_store::AwsJobStore,
    jobs::{JobFunction, Place},
    measured::Measured,
    metric_lines::MetricLines,
    objects::Bucket,
    rate_limits::DynamoRateLimiter,
    rotation::FunctionRotation,
    upload_sweep::UploadSweep,
    uploads::S3Uploads,
};
use crate::{
    Entrance, Ports, Service,
    anchors::AnchorsError,
    clock::SystemClock,
    config::{Config, ConfigError},
    identity::Identity,
    jobs::{
        Job, JobBook, JobStore, ProofCleanup, RestampJob, RestampPorts,
        health::{HealthMetrics, Measurement, Reachable, StoredProofs},
    },
    logging::{self, LogFormat},
    metrics::Metrics,
    outbound::{self, Delivery, FaultReports},
    uploads::{UploadError, Uploads},
};

/// The deployment that a function belongs to.
pub struct Deployment {
    config: Config,
    sdk: SdkConfig,
    s3: OnceLock<aws_sdk_s3::Client>,
    dynamo: OnceLock<aws_sdk_dynamodb::Client>,
    /// What was measured.
    lines: MetricLines,
}

/// Why a function cannot start.
#[derive(Debug, Error)]
pub enum DeploymentError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The runtime's own variables are missing.
    #[error(transparent)]
    Environment(#[from] ConfigurationError),
    /// The template sets this variable for every function that needs it.
    #[error("{0} is not set; deploy the function with its template")]
    Missing(&'static str),
    /// Proofs cannot live there.
    #[error("PROOF_STORE is {0}; functions keep proofs in dynamodb, s3 or postgres")]
    ProofStore(StoreLocation),
    /// The proofs cannot be opened.
    #[error("proofs in {location} cannot be used: {cause}; PROOF_STORE says where proofs live")]
    Proofs {
        /// Where they live.
        location: StoreLocation,
        /// What is in the way.
        cause: ProofStoreError,
    },
    /// Further trust anchors cannot be used.
    #[error(transparent)]
    Anchors(#[from] AnchorsError),
    /// A kind of key that KMS has not, or that nobody signs with here.
    #[error(
        "SIGNING_KEY_SPEC is {0:?}; it must be RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256 or ECC_NIST_P384"
    )]
    KeySpec(String),
    /// Nobody can be told where to send an upload.
    #[error("the address of UPLOAD_BUCKET cannot be made: {0}")]
    UploadOrigin(#[from] UploadError),
    /// The function would sign its own results.
    #[error("INBOX_BUCKET and OUTBOX_BUCKET are both {0:?}; they must be two buckets")]
    SameBuckets(String),
}

impl Deployment {
    /// Reads the environment and starts the log.
    ///
    /// # Errors
    /// The first variable that cannot be used.
    pub fn from_env() -> Result<Self, DeploymentError> {
        let config = Config::from_env(|name| env::var(name).ok())?;
        let filter = config.log.filter.clone().unwrap_or_else(|| logging::filter("info"));
        logging::start(config.log.format.unwrap_or(LogFormat::Json), filter, false);
        Ok(Self {
            config,
            sdk: credlink_aws::on_lambda()?,
            s3: OnceLock::new(),
            dynamo: OnceLock::new(),
            lines: MetricLines::new(),
        })
    }

    /// The name that metrics carry.
    ///
    /// # Errors
    /// When the template did not set it.
    pub fn stack(&self) -> Result<String, DeploymentError> {
        variable("CREDLINK_STACK")
    }

    /// The service with the given ports.
    ///
    /// # Errors
    /// When a setting is missing.
    pub async fn service(
        &self,
        identity: Arc<dyn Identity>,
        uploads: Option<Arc<dyn Uploads>>,
    ) -> Result<Arc<Service>, DeploymentError> {
        let ports = self.ports(identity, uploads).await?;
        Ok(Arc::new(Service::new(ports, self.config.settings_without_address()?)))
    }

    /// The service that shows proofs and pages. It takes no uploads itself, but its pages send them to the bucket.
    ///
    /// # Errors
    /// When a setting is missing, or further anchors cannot be read.
    pub async fn showing_service(&self) -> Result<Arc<Service>, DeploymentError> {
        let uploads = S3Uploads::new(self.s3(), variable("UPLOAD_BUCKET")?);
        let origin = uploads.origin(SystemClock.now()).await?;
        let mut settings = self.config.settings_without_address()?;
        settings.upload_origin = Some(origin);
        let ports = self.ports(self.known_identity().await?, None).await?;
        Ok(Arc::new(Service::new(ports, settings)))
    }

    async fn ports(
        &self,
        identity: Arc<dyn Identity>,
        uploads: Option<Arc<dyn Uploads>>,
    ) -> Result<Ports, DeploymentError> {
        Ok(Ports {
            identity,
            proofs: self.proofs().await?,
            uploads,
            clock: Arc::new(SystemClock),
            authorities: outbound::authorities(&self.config),
            entrance: self.entrance()?,
        })
    }

    /// What requests pass, in the deployment's table.
    fn entrance(&self) -> Result<Entrance, DeploymentError> {
        let table = variable("PROOF_TABLE")?;
        Ok(Entrance {
            rate_limiter: Arc::new(DynamoRateLimiter::new(self.dynamo(), &table)),
            api_keys: self
                .config
                .http
                .api_keys
                .then(|| Arc::new(DynamoApiKeys::new(self.dynamo(), &table)) as Arc<_>),
            idempotency: Arc::new(DynamoIdempotency::new(self.dynamo(), table)),
            fault_reports: self
                .config
                .http
                .sentry
                .clone()
                .map(|dsn| FaultReports::new(dsn, Delivery::Before)),
            metrics: Metrics::new(Arc::new(self.lines.clone())),
            proof_storage: self.proof_location()?.kind(),
            ..Entrance::default()
        })
    }

    /// Where measurements go.
    ///
    /// # Errors
    /// When a setting is missing.
    pub fn measured(&self) -> Result<Measured, DeploymentError> {
        Ok(Measured { lines: self.lines.clone(), stack: self.stack()? })
    }

    /// Where proofs live: in the deployment's table and bucket, unless something else was chosen.
    fn proof_location(&self) -> Result<StoreLocation, DeploymentError> {
        match self.config.proof_store.clone() {
            Some(location @ (StoreLocation::Memory | StoreLocation::Local(_))) => {
                Err(DeploymentError::ProofStore(location))
            }
            Some(location) => Ok(location),
            None => Ok(StoreLocation::DynamoDb {
                table: variable("PROOF_TABLE")?,
                bucket: variable("BLOB_BUCKET")?,
            }),
        }
    }

    /// The proofs, wherever they live. Nothing is asked of them yet.
    ///
    /// # Errors
    /// When a setting is missing or cannot be used.
    pub async fn proofs(&self) -> Result<Arc<dyn ProofArchive>, DeploymentError> {
        let location = self.proof_location()?;
        let opened = location.open_later(async || self.sdk.clone()).await;
        opened.map_err(|cause| DeploymentError::Proofs { location, cause })
    }

    /// The proofs in the deployment's table and bucket, whether new ones come there or elsewhere.
    ///
    /// # Errors
    /// When a setting is missing.
    pub fn proofs_in_table(&self) -> Result<AwsProofStore, DeploymentError> {
        Ok(AwsProofStore::new(self.dynamo(), variable("PROOF_TABLE")?, self.s3(), variable("BLOB_BUCKET")?))
    }

    /// Uploads in the deployment's bucket.
    ///
    /// # Errors
    /// When a setting is missing.
    pub fn uploads(&self) -> Result<Arc<dyn Uploads>, DeploymentError> {
        Ok(Arc::new(S3Uploads::new(self.s3(), variable("UPLOAD_BUCKET")?)))
    }

    /// The cleanup of the proofs and of the deployment's uploads.
    ///
    /// # Errors
    /// When a setting is missing, or the proofs cannot be opened.
    pub async fn cleanup(&self) -> Result<ProofCleanup, DeploymentError> {
        let uploads = UploadSweep::new(self.s3(), variable("UPLOAD_BUCKET")?);
        Ok(ProofCleanup::new(vec![self.proofs().await?, Arc::new(uploads)]))
    }

    /// The identity of a function that signs, read and checked. A signer that is missing or unusable is logged, and
    /// every image is refused with the reason until one is active: the function need not start again.
    ///
    /// # Errors
    /// When a setting is missing, or further anchors cannot be read.
    pub async fn signing_identity(&self) -> Result<Arc<dyn Identity>, DeploymentError> {
        let kms = aws_sdk_kms::Client::new(&self.sdk);
        let active = ActiveSigner::new(self.signer_records()?, kms, Arc::new(SystemClock));
        let identity = SigningIdentity::new(active, self.further_anchors().await?);
        if let Err(error) = identity.load().await {
            tracing::error!(%error, "there is no signer");
        }
        Ok(Arc::new(identity))
    }

    /// The identity of a function that never signs.
    ///
    /// # Errors
    /// When a setting is missing, or further anchors cannot be read.
    pub async fn known_identity(&self) -> Result<Arc<KnownIdentity>, DeploymentError> {
        let record = CachedRecord::new(self.signer_records()?);
        let further = self.further_anchors().await?;
        Ok(Arc::new(KnownIdentity::new(record, further, Arc::new(SystemClock))))
    }

    /// What is measured from time to time.
    ///
    /// # Errors
    /// When a setting is missing, or further anchors cannot be read.
    pub async fn health_metrics(&self) -> Result<HealthMetrics, DeploymentError> {
        let (identity, proofs) = (self.known_identity().await?, self.proofs().await?);
        let measurements: [Arc<dyn Measurement>; 4] = [
            Arc::new(Reachable::new(identity.clone(), proofs.clone() as _)),
            Arc::new(RecordedCertificateEnd(identity)),
            Arc::new(StoredProofs::new(proofs, JobBook::new(self.job_store()?))),
            Arc::new(DeadLetters(self.failures()?)),
        ];
        Ok(HealthMetrics::new(measurements))
    }

    /// What stamps proofs later.
    ///
    /// # Errors
    /// When a setting is missing, or further anchors cannot be read.
    pub async fn restamping(&self) -> Result<RestampJob, DeploymentError> {
        let authorities = outbound::authorities(&self.config);
        let ports = RestampPorts {
            proofs: self.proofs().await?,
            identity: self.signing_identity().await?,
            authority: authorities.time_stamps,
            revocation: authorities.revocation,
            clock: Arc::new(SystemClock),
        };
        Ok(RestampJob::new(ports, self.config.restamp))
    }

    /// The function that runs `job`.
    ///
    /// # Errors
    /// When a setting is missing.
    pub fn function_of(&self, job: Arc<dyn Job>) -> Result<JobFunction, DeploymentError> {
        let place = Place { stack: self.stack()?, function: variable("AWS_LAMBDA_FUNCTION_NAME").ok() };
        Ok(JobFunction::new(job, self.job_store()?, self.config.jobs, place))
    }

    fn job_store(&self) -> Result<Arc<dyn JobStore>, DeploymentError> {
        Ok(Arc::new(AwsJobStore::new(self.dynamo(), variable("PROOF_TABLE")?)))
    }

    /// Signing from the inbox into the outbox.
    ///
    /// # Errors
    /// When a setting is missing, or when both are the same bucket.
    pub fn auto_sign(&self, service: Arc<Service>) -> Result<AutoSign, DeploymentError> {
        let (inbox, outbox) = (variable("INBOX_BUCKET")?, variable("OUTBOX_BUCKET")?);
        if inbox == outbox {
            return Err(DeploymentError::SameBuckets(inbox));
        }
        let (inbox, outbox) = (Bucket::new(self.s3(), inbox), Bucket::new(self.s3(), outbox));
        Ok(AutoSign::new(service, inbox, outbox, self.failures()?, self.measured()?))
    }

    /// The rotation of the signing key.
    ///
    /// # Errors
    /// When a setting is missing, or cannot be used.
    pub fn rotation(&self) -> Result<FunctionRotation, DeploymentError> {
        let settings = DeployedRotation {
            stack: self.stack()?,
            table: variable("PROOF_TABLE")?,
            bucket: variable("BLOB_BUCKET")?,
            topic_arn: variable("ALARM_TOPIC_ARN").ok(),
            authority: self.config.rotation_authority,
            private_ca_arn: variable("PRIVATE_CA_ARN").ok(),
            key_kind: key_kind_of_rotations()?.or(self.config.rotation_key_kind),
            before_days: self.config.rotate_before_days,
            ..DeployedRotation::default()
        };
        Ok(FunctionRotation::new(settings, self.sdk.clone()))
    }

    /// The queue for what a person must look at.
    ///
    /// # Errors
    /// When a setting is missing.
    pub fn failures(&self) -> Result<FailureQueue, DeploymentError> {
        Ok(FailureQueue::new(aws_sdk_sqs::Client::new(&self.sdk), variable("FAILURE_QUEUE_URL")?))
    }

    fn signer_records(&self) -> Result<SignerRecords, DeploymentError> {
        Ok(SignerRecords::new(self.dynamo(), variable("PROOF_TABLE")?))
    }

    async fn further_anchors(&self) -> Result<AnchorObjects, AnchorsError> {
        AnchorObjects::open(&self.config, &self.s3()).await
    }

    fn dynamo(&self) -> aws_sdk_dynamodb::Client {
        self.dynamo.get_or_init(|| aws_sdk_dynamodb::Client::new(&self.sdk)).clone()
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        self.s3.get_or_init(|| credlink_aws::s3(&self.sdk)).clone()
    }
}

fn variable(name: &'static str) -> Result<String, DeploymentError> {
    env::var(name).ok().filter(|value| !value.is_empty()).ok_or(DeploymentError::Missing(name))
}

/// The kind of key that rotations make, as KMS calls it.
fn key_kind_of_rotations() -> Result<Option<KeyKind>, DeploymentError> {
    let spec = variable("SIGNING_KEY_SPEC").ok();
    spec.map(|spec| key_kind(&spec).ok_or(DeploymentError::KeySpec(spec))).transpose()
}
