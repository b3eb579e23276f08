//! `GET /metrics`, as a scraper meets it.

use std::sync::Arc;

use credlink_pipeline::timestamp::Clock as _;
use credlink_service::{
    Measured, Service,
    clock::SystemClock,
    jobs::{
        Job, JobBook, JobName, JobStore, MemoryJobStore, Order, Runner, Switches,
        health::{CertificateEnd, HealthMetrics, Measurement, Reachable},
    },
    local_uploads::LocalUploads,
    metrics::{Metrics, PrometheusMetrics},
    router,
};

use crate::support::{get, ports, service, settings};

/// What a scraper gets of a service whose jobs are in `store`.
async fn scrape(store: Arc<dyn JobStore>, process: PrometheusMetrics) -> String {
    let folder = tempfile::tempdir().unwrap();
    let uploads = Arc::new(LocalUploads::open(folder.path(), SystemClock.now()).unwrap());
    let measured = Arc::new(Measured { process, jobs: JobBook::new(store) });
    let all = Arc::new(Service::new(ports(), settings(&[])));
    let answer = get(&router::local(all, uploads, measured), "/metrics", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn what_another_process_measured_is_shown_and_nothing_that_nobody_measured() {
    let store: Arc<dyn JobStore> = Arc::new(MemoryJobStore::new());
    let process = PrometheusMetrics::new().unwrap();
    assert_eq!(scrape(Arc::clone(&store), process.clone()).await, "");

    let ports = ports();
    let measurements: [Arc<dyn Measurement>; 2] = [
        Arc::new(Reachable::new(Arc::clone(&ports.identity), Arc::clone(&ports.proofs))),
        Arc::new(CertificateEnd::new(Arc::clone(&ports.identity))),
    ];
    let jobs = [Arc::new(HealthMetrics::new(measurements)) as Arc<dyn Job>];
    let clock = Arc::new(SystemClock);
    let elsewhere =
        Runner::new(jobs, Arc::clone(&store), clock, Metrics::none(), Switches::default(), "test".to_owned());
    elsewhere.run(JobName::HealthMetrics, &Order::by_command(false, false)).await;

    let text = scrape(store, process).await;
    for line in [
        "job_last_run_success{job=\"health-metrics\"} 1",
        "signer_healthy 1",
        "proofs_healthy 1",
        "# TYPE certificate_days_left gauge",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
    let days = text.lines().find_map(|line| line.strip_prefix("certificate_days_left ")).unwrap();
    assert!((89.0..=366.0).contains(&days.parse::<f64>().unwrap()), "{days}");
    assert!(!text.contains("proofs_stored") && !text.contains("dead_letters"), "{text}");
}

#[tokio::test]
async fn only_a_service_on_one_machine_shows_them() {
    let answer = get(&service(), "/metrics", &[]).await;
    assert_eq!(answer.status, 404);
}
