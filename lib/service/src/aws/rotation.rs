//! The rotation of the signing key, as a function runs it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use credlink_aws::SdkConfig;
use credlink_keys::{
    aws::rotation::DeployedRotation,
    rotation::{Outcome, Rotation, RotationError, RotationReport, Trigger},
};
use tokio::time::Instant;

use super::metrics::Metric;
use crate::clock::SystemClock;

/// How long the longest step may take. With less time left, no other one is begun; the next run goes on.
const MAX_STEP_TIME: Duration = Duration::from_secs(130);

/// The rotation of the deployment that a function belongs to.
pub struct FunctionRotation {
    settings: DeployedRotation,
    rotation: Rotation,
    dynamo: aws_sdk_dynamodb::Client,
}

impl FunctionRotation {
    /// The rotation with these settings.
    pub fn new(settings: DeployedRotation, sdk: &SdkConfig) -> Self {
        let rotation = settings.rotation(sdk, Arc::new(SystemClock));
        Self { settings, rotation, dynamo: aws_sdk_dynamodb::Client::new(sdk) }
    }

    /// The rotation itself, for whoever runs it as a job.
    pub fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// Writes the settings down, for the command line. What stands in the way is logged: the rotation needs it not.
    pub async fn write_settings(&self) {
        if let Err(fault) = self.settings.write(&self.dynamo).await {
            tracing::warn!(%fault, "the command line cannot find the rotation of this deployment");
        }
    }

    /// Does what is to be done until shortly before `deadline`.
    ///
    /// # Errors
    /// The step that could not be done; the active signer is untouched.
    pub async fn run(&self, trigger: Trigger, deadline: SystemTime) -> Result<RotationReport, RotationError> {
        self.write_settings().await;
        let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let last_step = Instant::now() + left.saturating_sub(MAX_STEP_TIME);
        self.rotation.run(trigger, &|| Instant::now() >= last_step).await
    }
}

/// What of a run is counted.
pub fn metrics(outcome: &Result<RotationReport, RotationError>) -> Vec<Metric> {
    let outcome = outcome.as_ref().map(|report| &report.outcome);
    let one = |name, holds| Metric::count(name, f64::from(u8::from(holds)));
    vec![
        one("RotationsDone", matches!(outcome, Ok(Outcome::Rotated { .. }))),
        one("RotationWaiting", matches!(outcome, Ok(Outcome::Waiting { .. }))),
        one("RotationFailures", outcome.is_err()),
    ]
}

/// Why a run is made: an event with `"force": true` wants a new key now.
pub fn trigger(event: &serde_json::Value) -> Trigger {
    if event.get("force") == Some(&serde_json::Value::Bool(true)) {
        Trigger::Forced
    } else {
        Trigger::WhenDue
    }
}
