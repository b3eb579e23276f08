//! What the environment says about jobs.

use super::job::JobName;

/// Which jobs may run here, whatever their state says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switches {
    /// Whether jobs run by themselves: `ENABLE_JOB_SCHEDULER`.
    pub scheduler: bool,
    /// `ENABLE_PROOF_CLEANUP`.
    pub cleanup: bool,
    /// `ENABLE_CERT_ROTATION`.
    pub rotation: bool,
    /// `ENABLE_PROOF_RESTAMP`.
    pub restamp: bool,
    /// `ENABLE_HEALTH_METRICS`.
    pub health_metrics: bool,
    /// Whether all run when the service starts: `EXECUTE_JOBS_ON_START`.
    pub on_start: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            scheduler: true,
            cleanup: true,
            rotation: true,
            restamp: true,
            health_metrics: true,
            on_start: false,
        }
    }
}

impl Switches {
    /// That `job` may run.
    ///
    /// # Errors
    /// What says no, for people.
    pub fn allow(&self, job: JobName) -> Result<(), &'static str> {
        let (allowed, refusal) = match job {
            JobName::ProofCleanup => (self.cleanup, "ENABLE_PROOF_CLEANUP is false"),
            JobName::CertificateRotationCheck => (self.rotation, "ENABLE_CERT_ROTATION is false"),
            JobName::ProofRestamp => (self.restamp, "ENABLE_PROOF_RESTAMP is false"),
            JobName::HealthMetrics => (self.health_metrics, "ENABLE_HEALTH_METRICS is false"),
        };
        if allowed { Ok(()) } else { Err(refusal) }
    }
}
