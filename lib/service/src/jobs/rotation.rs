//! The job that replaces the signing key before its certificate expires.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use credlink_keys::{
    LocalSigner, PemFile,
    rotation::{
        Outcome, Rotation, RotationError, RotationReport, Trigger, local,
        ports::{Announcer, Fault},
    },
};
use credlink_pipeline::timestamp::{Clock, Timestamp};
use serde_json::{Value, json};
use tokio::task;

use super::job::{Counts, Job, JobError, JobName, JobRun};
use crate::config::Config;

/// Looks every day whether the key is due, and goes on with a rotation in progress.
pub struct RotationJob {
    rotation: Rotation,
    /// With less time left, no other step is begun.
    step_time: Duration,
}

/// In place of [`RotationJob`] where the operator looks after the signer in a file of theirs: says when it is due.
pub struct CertificateReminder {
    file: PathBuf,
    before_days: u32,
    announcer: Arc<dyn Announcer>,
}

impl RotationJob {
    /// The job of this rotation, wherever its ports are.
    pub fn new(rotation: Rotation) -> Self {
        Self { rotation, step_time: Duration::ZERO }
    }

    /// The same where a run is cut off at its deadline, and a step takes as long as this.
    pub fn with_step_time(self, step_time: Duration) -> Self {
        Self { step_time, ..self }
    }
}

/// The job of the installation on this machine: the key in its data folder is replaced; the operator is reminded of a key
/// in a file of theirs (`SIGNING_CERTIFICATE`).
pub fn local_job(config: &Config, clock: Arc<dyn Clock>) -> Arc<dyn Job> {
    match &config.signing_certificate {
        None => Arc::new(RotationJob::new(local_rotation(config, clock))),
        Some(file) => Arc::new(CertificateReminder {
            file: file.clone(),
            before_days: config.rotate_before_days,
            announcer: Arc::new(local::LogAnnouncer),
        }),
    }
}

/// The rotation of the key in the data folder of this machine.
pub fn local_rotation(config: &Config, clock: Arc<dyn Clock>) -> Rotation {
    let ports = local::ports(&config.data.join("keys"), config.rotation_authority, clock);
    Rotation::new(ports, config.rotation_policy())
}

#[async_trait]
impl Job for RotationJob {
    fn name(&self) -> JobName {
        JobName::CertificateRotationCheck
    }

    async fn run(&self, run: &JobRun<'_>) -> Result<Counts, JobError> {
        if run.dry_run {
            let outlook = self.rotation.look().await.map_err(|error| job_error(&error))?;
            return Ok(counts(serde_json::to_value(outlook).unwrap_or_default()));
        }
        let trigger = if run.forced { Trigger::Forced } else { Trigger::WhenDue };
        let must_end = || run.must_end() || run.time_left() < self.step_time;
        let report = self.rotation.run(trigger, &must_end).await.map_err(|error| job_error(&error))?;
        Ok(of_report(&report, run.now))
    }
}

#[async_trait]
impl Job for CertificateReminder {
    fn name(&self) -> JobName {
        JobName::CertificateRotationCheck
    }

    async fn run(&self, run: &JobRun<'_>) -> Result<Counts, JobError> {
        let (file, now) = (self.file.clone(), run.now);
        let days_left = task::spawn_blocking(move || days_left(&file, now)).await;
        let days_left = days_left.map_err(|error| JobError::Passing(error.to_string()))??;
        let name = self.file.display();
        if run.forced {
            let reason = format!(
                "SIGNING_CERTIFICATE is {name}: this key is yours to replace; it expires in {days_left} days"
            );
            return Err(JobError::Lasting(reason));
        }
        if days_left < i64::from(self.before_days) && !run.dry_run {
            let text = format!(
                "The signer in {name} (SIGNING_CERTIFICATE) expires in {days_left} days. Nobody but you replaces it: write \
                 a new key and its chain beside the file, and rename it into its place. The service follows."
            );
            let told = self.announcer.announce("CredLink: your signing certificate is due", &text).await;
            told.map_err(|fault| fault_error(&fault))?;
        }
        Ok(counts(json!({ "outcome": "not-ours", "daysLeft": days_left })))
    }
}

fn days_left(file: &Path, now: Timestamp) -> Result<i64, JobError> {
    let signer = PemFile::read(file).and_then(|file| LocalSigner::read(&file));
    let signer = signer.map_err(|error| JobError::Lasting(error.to_string()))?;
    let days = signer.certificates().iter().map(|certificate| certificate.days_left(now)).min();
    Ok(days.unwrap_or(i64::MIN))
}

/// How it stands, and how much was tidied up.
fn of_report(report: &RotationReport, now: Timestamp) -> Counts {
    let upkeep = &report.upkeep;
    let problems: Vec<String> = upkeep.problems.iter().map(ToString::to_string).collect();
    let mut value = json!({
        "keysDisabled": upkeep.disabled.len(),
        "keysDeleted": upkeep.deleted.len(),
        "keysDiscarded": upkeep.discarded.len(),
        "problems": problems,
    });
    let outcome = match &report.outcome {
        Outcome::NotDue { days_left } => json!({ "outcome": "not-due", "daysLeft": days_left }),
        Outcome::Waiting { rotation, reason, since, days_left } => json!({
            "outcome": "waiting",
            "rotation": rotation,
            "daysLeft": days_left,
            "since": since,
            "reason": reason,
        }),
        Outcome::Rotated { rotation, from, to } => json!({
            "outcome": "rotated",
            "rotation": rotation,
            "from": from,
            "to": to,
            "daysLeft": to.days_left(now),
        }),
        Outcome::TakenOver => json!({ "outcome": "taken-over" }),
        Outcome::Stopped { next } => json!({ "outcome": "stopped", "next": next }),
    };
    if let (Some(all), Value::Object(outcome)) = (value.as_object_mut(), outcome) {
        all.extend(outcome);
    }
    counts(value)
}

fn counts(value: Value) -> Counts {
    match value {
        Value::Object(fields) => fields.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

fn job_error(error: &RotationError) -> JobError {
    let text = error.to_string();
    if error.fault.passing { JobError::Passing(text) } else { JobError::Lasting(text) }
}

fn fault_error(fault: &Fault) -> JobError {
    let text = fault.to_string();
    if fault.passing { JobError::Passing(text) } else { JobError::Lasting(text) }
}
