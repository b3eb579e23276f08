//! The rotation of a deployment on AWS, done from here with the rights of this person.

use std::sync::Arc;

use credlink_aws::SdkConfig;
use credlink_keys::{
    PemFile,
    aws::rotation::DeployedRotation,
    rotation::{Rotation, RotationReport, Trigger},
};
use credlink_service::clock::SystemClock;

use super::{KeysCommandError, aws};

/// The rotation of the deployment with this table, as its function found it configured.
///
/// # Errors
/// When that cannot be read.
pub(super) async fn rotation(table: &str) -> Result<Rotation, KeysCommandError> {
    Ok(Deployed::find(table).await?.rotation())
}

/// Like [`rotation`], for what looks into the table only.
///
/// # Errors
/// When there is no region.
pub(super) async fn signers(table: &str) -> Result<Rotation, KeysCommandError> {
    let settings = DeployedRotation { table: table.to_owned(), ..DeployedRotation::default() };
    Ok(Deployed { config: aws::config().await?, settings }.rotation())
}

/// Brings the certificate that a rotation of this deployment waits for, and lets the rotation go on.
///
/// # Errors
/// When no rotation waits, or when the certificate cannot be used; the active signer is untouched then.
pub(super) async fn import(
    table: &str,
    chain: &PemFile,
    root: Option<PemFile>,
) -> Result<RotationReport, KeysCommandError> {
    let deployed = Deployed::find(table).await?;
    let (rotation, drop_box) = (deployed.rotation(), deployed.settings.drop_box(&deployed.config));
    let no_root = || KeysCommandError::NoRoot(chain.name().to_owned());
    let root = match root {
        Some(root) => root,
        None => drop_box.known_root(chain).await?.ok_or_else(no_root)?,
    };
    let id = rotation.check_certificate(chain, &root).await?;
    drop_box.bring(id, chain, Some(&root)).await?;
    Ok(rotation.run(Trigger::WhenDue, &|| false).await?)
}

/// A deployment, as this person reaches it.
struct Deployed {
    config: SdkConfig,
    settings: DeployedRotation,
}

impl Deployed {
    async fn find(table: &str) -> Result<Self, KeysCommandError> {
        let config = aws::config().await?;
        let settings = DeployedRotation::read(&aws_sdk_dynamodb::Client::new(&config), table).await?;
        Ok(Self { config, settings })
    }

    fn rotation(&self) -> Rotation {
        self.settings.rotation(&self.config, Arc::new(SystemClock))
    }
}
