//! `credlink keys activate`, and `credlink keys show --table`: who signs on AWS.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use credlink_aws::SdkConfig;
use credlink_keys::{
    PemFile,
    aws::{KmsKey, NewSigner, RecordsError, SignerRecord, SignerRecords, SignerSummary},
    folder::ROOT,
};
use credlink_pipeline::timestamp::Timestamp;
use serde::Serialize;

use super::KeysCommandError;
use crate::environment::small_runtime;

/// Arguments of `keys activate`.
#[derive(Debug, Args)]
pub(crate) struct ActivateArgs {
    /// The key in KMS: its ARN, id or alias. RSA of 2048, 3072 or 4096 bits, P-256 or P-384, to sign and verify
    #[arg(long, value_name = "ARN")]
    kms_key: String,
    /// The DynamoDB table of the installation
    #[arg(long, value_name = "TABLE")]
    table: String,
    /// PEM file with certificates for this key from another authority: leaf first, each followed by its issuer
    #[arg(long, value_name = "FILE", requires = "root")]
    chain: Option<PathBuf>,
    /// PEM file with the root of that chain
    #[arg(long, value_name = "FILE", requires = "chain")]
    root: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Makes a KMS key the active signer. The local authority is in `folder`.
///
/// # Errors
/// The first thing that is wrong; then nothing was changed in the table.
pub(super) fn activate(
    args: &ActivateArgs,
    folder: &Path,
    now: Timestamp,
) -> Result<SignerReport, KeysCommandError> {
    let runtime = small_runtime().map_err(KeysCommandError::Start)?;
    runtime.block_on(async {
        let aws = Aws::find(&args.table).await?;
        let before = aws.records.active().await?;
        let key = KmsKey::read(&aws.kms, &args.kms_key).await?;
        if let Some(active) = before.as_ref().filter(|active| active.key_arn() == key.arn())
            && args.chain.is_none()
        {
            return unchanged(active, &args.table, now);
        }
        let (new, root) = match (&args.chain, &args.root) {
            (Some(chain), Some(root)) => {
                (NewSigner::new(&key, &PemFile::read(chain)?, &PemFile::read(root)?, now)?, root.clone())
            }
            _ => (NewSigner::issue(&key, folder, now)?, folder.join(ROOT)),
        };
        new.try_out(&aws.kms).await?;
        let previous_version = before.as_ref().map(SignerRecord::version);
        let record = aws.records.activate(&new, previous_version, now).await?;
        let report = SignerReport::of(&record, &args.table, now);
        Ok(SignerReport { previous_version, root: Some(root), notes: new.notes().to_vec(), ..report })
    })
}

/// Shows the active signer of `table`.
///
/// # Errors
/// When there is none, or it cannot be read.
pub(super) fn show(table: &str, now: Timestamp) -> Result<SignerReport, KeysCommandError> {
    let runtime = small_runtime().map_err(KeysCommandError::Start)?;
    runtime.block_on(async {
        let active = Aws::find(table).await?.records.active().await?;
        let active = active.ok_or_else(|| RecordsError::NoActiveSigner { table: table.to_owned() })?;
        Ok(SignerReport::of(&active, table, now))
    })
}

/// How this person reaches the account.
///
/// # Errors
/// [`KeysCommandError::NoRegion`].
pub(super) async fn config() -> Result<SdkConfig, KeysCommandError> {
    let config = credlink_aws::from_profile().await;
    if config.region().is_none() {
        return Err(KeysCommandError::NoRegion);
    }
    Ok(config)
}

/// What is printed about a signer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignerReport {
    table: String,
    #[serde(flatten)]
    summary: SignerSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_version: Option<u64>,
    /// The root of the chain, as a file to be handed to validators.
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl SignerReport {
    pub(super) fn write(&self, json: bool, output: &mut impl Write) -> Result<(), KeysCommandError> {
        if json {
            serde_json::to_writer_pretty(&mut *output, self)?;
            writeln!(output)?;
            return Ok(());
        }
        writeln!(output, "Table          {}", self.table)?;
        writeln!(output, "{}", self.summary)?;
        if let Some(version) = self.previous_version {
            writeln!(output, "Before it      version {version}")?;
        }
        if let Some(root) = &self.root {
            writeln!(output, "Root           {}", root.display())?;
        }
        for note in &self.notes {
            writeln!(output, "Note           {note}")?;
        }
        Ok(())
    }

    fn of(record: &SignerRecord, table: &str, now: Timestamp) -> Self {
        let summary = SignerSummary::of(record, now);
        Self { table: table.to_owned(), summary, previous_version: None, root: None, notes: vec![] }
    }
}

/// A second run of the same command changes nothing, because one key gets one certificate.
fn unchanged(active: &SignerRecord, table: &str, now: Timestamp) -> Result<SignerReport, KeysCommandError> {
    active.check_dates(now).map_err(|error| KeysCommandError::SameKey(error.to_string()))?;
    let notes = vec!["this key was active already; nothing was changed".to_owned()];
    Ok(SignerReport { notes, ..SignerReport::of(active, table, now) })
}

/// The account, as this person reaches it.
struct Aws {
    kms: aws_sdk_kms::Client,
    records: SignerRecords,
}

impl Aws {
    async fn find(table: &str) -> Result<Self, KeysCommandError> {
        let config = config().await?;
        let dynamo = aws_sdk_dynamodb::Client::new(&config);
        Ok(Self { kms: aws_sdk_kms::Client::new(&config), records: SignerRecords::new(dynamo, table) })
    }
}
