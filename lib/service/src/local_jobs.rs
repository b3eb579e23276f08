//! The jobs of one machine. `credlink serve` runs them when they are due, and `credlink jobs run` when somebody wants it.

use std::sync::Arc;

use credlink_proofs::{ProofArchive, StoreLocation};

use crate::{
    Ports,
    config::Config,
    installation::Installation,
    jobs::{
        self, Job, JobBook, RestampJob, RestampPorts, Runner,
        health::{CertificateEnd, HealthMetrics, Measurement, Reachable, StoredProofs},
        rotation,
    },
    metrics::Metrics,
};

/// What runs the jobs of the installation in the data folder of `config`, which `ports` belong to, on the proofs in
/// `proofs`.
pub fn runner(config: &Config, ports: &Ports, proofs: Arc<dyn ProofArchive>, metrics: Metrics) -> Runner {
    let installation = Installation::new(&config.data);
    let store = installation.jobs();
    let mut measurements = measurements(ports);
    // Proofs in memory are those of one process, and nobody else's.
    if !matches!(config.proofs_here(), StoreLocation::Memory) {
        let book = JobBook::new(Arc::clone(&store));
        measurements.push(Arc::new(StoredProofs::new(Arc::clone(&proofs) as _, book)));
    }
    let jobs: Vec<Arc<dyn Job>> = vec![
        Arc::new(installation.cleanup(Arc::clone(&proofs))),
        rotation::local_job(config, Arc::clone(&ports.clock)),
        Arc::new(restamping(config, ports, proofs)),
        Arc::new(HealthMetrics::new(measurements)),
    ];
    let clock = Arc::clone(&ports.clock);
    Runner::new(jobs, store, clock, metrics, config.jobs, jobs::holder())
}

fn measurements(ports: &Ports) -> Vec<Arc<dyn Measurement>> {
    let (identity, proofs) = (Arc::clone(&ports.identity), Arc::clone(&ports.proofs));
    vec![Arc::new(Reachable::new(Arc::clone(&identity), proofs)), Arc::new(CertificateEnd::new(identity))]
}

fn restamping(config: &Config, ports: &Ports, proofs: Arc<dyn ProofArchive>) -> RestampJob {
    let ports = RestampPorts {
        proofs,
        identity: Arc::clone(&ports.identity),
        authority: ports.authorities.time_stamps.clone(),
        revocation: ports.authorities.revocation.clone(),
        clock: Arc::clone(&ports.clock),
    };
    RestampJob::new(ports, config.restamp)
}
