//! The jobs of one machine. `credlink serve` runs them when they are due, and `credlink jobs run` when somebody wants it.

use std::sync::Arc;

use credlink_proofs::LocalProofStore;

use crate::{
    Ports,
    config::Config,
    installation::{Installation, InstallationError},
    jobs::{
        self, Job, JobBook, RestampJob, RestampPorts, Runner,
        health::{CertificateEnd, HealthMetrics, Measurement, Reachable, StoredProofs},
        rotation,
    },
    metrics::Metrics,
};

/// What runs the jobs of the installation in the data folder of `config`, which `ports` belong to.
///
/// # Errors
/// When a part of the folder cannot be created or read.
pub fn runner(config: &Config, ports: &Ports, metrics: Metrics) -> Result<Runner, InstallationError> {
    let installation = Installation::new(&config.data);
    let (store, proofs) = (installation.jobs(), installation.proof_folder()?);
    let mut measurements = measurements(ports);
    // Proofs in memory are not counted; those that lie in the folder all the same are no answer.
    if config.keep_proofs {
        let book = JobBook::new(Arc::clone(&store));
        measurements.push(Arc::new(StoredProofs::new(proofs.clone(), book)));
    }
    let jobs: Vec<Arc<dyn Job>> = vec![
        Arc::new(installation.cleanup()?),
        rotation::local_job(config, Arc::clone(&ports.clock)),
        Arc::new(restamping(config, ports, proofs)),
        Arc::new(HealthMetrics::new(measurements)),
    ];
    let clock = Arc::clone(&ports.clock);
    Ok(Runner::new(jobs, store, clock, metrics, config.jobs, jobs::holder()))
}

fn measurements(ports: &Ports) -> Vec<Arc<dyn Measurement>> {
    let (identity, proofs) = (Arc::clone(&ports.identity), Arc::clone(&ports.proofs));
    vec![Arc::new(Reachable::new(Arc::clone(&identity), proofs)), Arc::new(CertificateEnd::new(identity))]
}

fn restamping(config: &Config, ports: &Ports, proofs: Arc<LocalProofStore>) -> RestampJob {
    let ports = RestampPorts {
        proofs,
        identity: Arc::clone(&ports.identity),
        authority: ports.authorities.time_stamps.clone(),
        revocation: ports.authorities.revocation.clone(),
        clock: Arc::clone(&ports.clock),
    };
    RestampJob::new(ports, config.restamp)
}
