//! The rotation of the signing key, as a function runs it.

use std::{sync::Arc, time::Duration};

use credlink_aws::SdkConfig;
use credlink_keys::aws::rotation::DeployedRotation;

use super::metrics::Metric;
use crate::{
    clock::SystemClock,
    jobs::{Counts, rotation::RotationJob},
};

/// How long the longest step may take. With less time left, no other one is begun; the next run goes on.
const MAX_STEP_TIME: Duration = Duration::from_secs(130);

/// The rotation of the deployment that a function belongs to.
pub struct FunctionRotation {
    settings: DeployedRotation,
    sdk: SdkConfig,
}

impl FunctionRotation {
    /// The rotation with these settings.
    pub fn new(settings: DeployedRotation, sdk: SdkConfig) -> Self {
        Self { settings, sdk }
    }

    /// The job.
    pub fn job(&self) -> RotationJob {
        let rotation = self.settings.rotation(&self.sdk, Arc::new(SystemClock));
        RotationJob::new(rotation).with_step_time(MAX_STEP_TIME)
    }

    /// Writes the settings down, for the command line. What stands in the way is logged: the rotation needs it not.
    pub async fn write_settings(&self) {
        if let Err(fault) = self.settings.write(&aws_sdk_dynamodb::Client::new(&self.sdk)).await {
            tracing::warn!(%fault, "the command line cannot find the rotation of this deployment");
        }
    }
}

/// What of a run that went well is counted. A failed one counts as `job_failures_total`.
pub fn metrics(counts: &Counts) -> Vec<Metric> {
    let outcome = counts.get("outcome").and_then(|outcome| outcome.as_str());
    let one = |name, wanted| Metric::count(name, f64::from(u8::from(outcome == Some(wanted))));
    let days_left = counts.get("daysLeft").and_then(serde_json::Value::as_f64);
    [one("RotationsDone", "rotated"), one("RotationWaiting", "waiting")]
        .into_iter()
        .chain(days_left.map(|days| Metric::count("DaysToCertificateExpiry", days)))
        .collect()
}
