//! A service that goes through three rotations under load, with a simulated clock.
//!
//! The C2PA library makes and takes no signature with a certificate that the machine's own clock finds expired or not yet
//! valid. So the simulated time begins eight months ago and ends today, and all four certificates are valid then.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::Router;
use bytes::Bytes;
use credlink_keys::{
    KeyKind, LocalKeys,
    rotation::{AuthorityChoice, Rotation, RotationPolicy, local, memory::MovedClock},
};
use credlink_pipeline::timestamp::Clock as _;
use credlink_proofs::MemoryProofStore;
use credlink_service::{
    Authorities, Entrance, Ports,
    anchors::AnchorFiles,
    clock::SystemClock,
    config::Config,
    installation::Installation,
    jobs::{
        Counts, Job, JobError, JobName, JobRun, Progress,
        rotation::{RotationJob, local_job},
    },
    local_identity::LocalIdentity,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Duration, Instant, timeout},
};

use crate::support::{form, form_type, png, post, service_with};

const CLIENTS: usize = 8;
const ROTATIONS: i64 = 3;
const DAYS_BETWEEN: i64 = 80;
/// Certificates are valid for 365 days, so each is due after 80.
const BEFORE_DAYS: u32 = 290;
/// More than this nobody signs while waiting for a new signer: it comes within a second.
const MAX_IMAGES: usize = 5_000;

/// A service on one machine, with its rotation.
struct Place {
    _data: TempDir,
    clock: Arc<MovedClock>,
    router: Router,
    rotation: RotationJob,
}

/// The clients here ask more often than a client may.
const UNLIMITED: [(&str, &str); 2] = [("RATE_LIMIT_MAX", "0"), ("SIGN_RATE_LIMIT_MAX", "0")];

impl Place {
    fn new() -> Self {
        let (data, clock) = (tempfile::tempdir().unwrap(), Arc::new(MovedClock::default()));
        clock.advance_days(-DAYS_BETWEEN * ROTATIONS);
        let keys = data.path().join("keys");
        LocalKeys::open_or_create(&keys, KeyKind::P256, clock.now()).unwrap();
        let installation = Installation::with_clock(data.path(), Arc::clone(&clock) as _);
        let identity = LocalIdentity::new(installation, None, AnchorFiles::default()).unwrap();
        let ports = Ports {
            identity: Arc::new(identity),
            proofs: Arc::new(MemoryProofStore::new()),
            uploads: None,
            clock: Arc::clone(&clock) as _,
            authorities: Authorities::default(),
            entrance: Entrance::default(),
        };
        let policy = RotationPolicy { before_days: BEFORE_DAYS, ..RotationPolicy::default() };
        let rotation = local::ports(&keys, AuthorityChoice::Auto, Arc::clone(&clock) as _);
        let rotation = RotationJob::new(Rotation::new(rotation, policy));
        Self { _data: data, clock, router: service_with(ports, &UNLIMITED), rotation }
    }

    async fn run_job(&self) -> Counts {
        run(&self.rotation, &*self.clock, false).await.unwrap()
    }
}

async fn run(
    job: &dyn Job,
    clock: &dyn credlink_pipeline::timestamp::Clock,
    forced: bool,
) -> Result<Counts, JobError> {
    assert_eq!(job.name(), JobName::CertificateRotationCheck);
    let deadline = Instant::now() + Duration::from_secs(120);
    job.run(&JobRun { now: clock.now(), deadline, dry_run: false, forced, progress: &NoProgress }).await
}

struct NoProgress;

#[async_trait]
impl Progress for NoProgress {
    fn last(&self) -> Option<Value> {
        None
    }

    async fn keep(&self, _: Option<Value>) -> Result<(), JobError> {
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        false
    }
}

/// What the clients saw: for each certificate, the first image of each client; and how many images in all.
#[derive(Default)]
struct Seen {
    images: BTreeMap<String, BTreeMap<usize, Bytes>>,
    count: usize,
}

impl Seen {
    /// Whether every client has an image from as many certificates.
    fn all_have(&self, certificates: usize) -> bool {
        let complete = self.images.values().filter(|clients| clients.len() == CLIENTS);
        complete.count() >= certificates
    }
}

/// Signs, and verifies at once. Both have to succeed, and the image is trusted at its time.
async fn client(
    number: usize,
    router: Router,
    seen: Arc<Mutex<Seen>>,
    changed: watch::Sender<()>,
    stop: watch::Receiver<bool>,
) {
    let picture = png(16, 16);
    while !*stop.borrow() {
        let signed = post(&router, "/sign", &form_type(), form(&[("image", None, &picture)])).await;
        assert_eq!(signed.status, 200, "client {number}: {:?}", signed.body);
        let report = verify(&router, &signed.body).await;
        assert_eq!((&report["valid"], &report["state"]), (&true.into(), &"trusted".into()), "{report}");
        let certificate = report["certificate"]["serialNumber"].as_str().unwrap().to_owned();
        let mut seen = seen.lock().unwrap();
        seen.images.entry(certificate).or_default().entry(number).or_insert(signed.body);
        seen.count += 1;
        assert!(seen.count < MAX_IMAGES, "{MAX_IMAGES} images, and the new signer was not taken");
        changed.send_replace(());
    }
}

async fn verify(router: &Router, image: &Bytes) -> Value {
    let answer = post(router, "/verify", "image/png", image.clone()).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.json()
}

/// No request fails, and every image is trusted when it is made. At the end, inside the validity of all certificates,
/// images from all four of them are trusted.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_rotations_under_load_fail_no_request() {
    let place = Place::new();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (stop, stopped) = watch::channel(false);
    let (changed, mut changes) = watch::channel(());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (router, seen) = (place.router.clone(), Arc::clone(&seen));
        clients.spawn(client(number, router, seen, changed.clone(), stopped.clone()));
    }
    let mut expected = Vec::new();
    for rotation in 0..=ROTATIONS {
        if rotation > 0 {
            assert_eq!(place.run_job().await["outcome"], "not-due");
            place.clock.advance_days(DAYS_BETWEEN);
            let counts = place.run_job().await;
            assert_eq!(counts["outcome"], "rotated", "{counts:?}");
            expected.push(counts["to"]["version"].clone());
        }
        let certificates = usize::try_from(rotation).unwrap() + 1;
        let all_took_it = async {
            while !seen.lock().unwrap().all_have(certificates) {
                tokio::select! {
                    changed = changes.changed() => changed.unwrap(),
                    Some(ended) = clients.join_next() => ended.unwrap(),
                }
            }
        };
        timeout(Duration::from_secs(120), all_took_it).await.expect("the clients go on");
    }
    stop.send_replace(true);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }

    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!((seen.images.len(), expected.len()), (4, 3));
    for (certificate, images) in &seen.images {
        for image in images.values() {
            let report = verify(&place.router, image).await;
            assert_eq!((&report["valid"], &report["state"]), (&true.into(), &"trusted".into()), "{report}");
            assert_eq!(report["certificate"]["serialNumber"], certificate.as_str());
        }
    }
    let clients: BTreeSet<usize> = seen.images.values().flat_map(|images| images.keys().copied()).collect();
    assert_eq!(clients.len(), CLIENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_operator_is_not_ours_to_replace() {
    let data = tempfile::tempdir().unwrap();
    LocalKeys::open_or_create(&data.path().join("keys"), KeyKind::P256, SystemClock.now()).unwrap();
    let file = data.path().join("keys/signer.pem").display().to_string();
    let lookup = |name: &str| match name {
        "SIGNING_CERTIFICATE" => Some(file.clone()),
        "CREDLINK_DATA" => Some(data.path().display().to_string()),
        _ => None,
    };
    let config = Config::from_env(lookup).unwrap();
    let clock = Arc::new(MovedClock::default());
    let job = local_job(&config, Arc::clone(&clock) as _);
    let before = std::fs::read(&file).unwrap();
    for (days, left) in [(0, 365), (350, 15)] {
        clock.advance_days(days);
        let counts = run(&*job, &*clock, false).await.unwrap();
        let days_left = counts["daysLeft"].as_i64().unwrap();
        assert!(counts["outcome"] == "not-ours" && (left - 1..=left).contains(&days_left), "{counts:?}");
    }
    let Err(JobError::Lasting(reason)) = run(&*job, &*clock, true).await else { panic!("it was replaced") };
    assert!(reason.contains("SIGNING_CERTIFICATE") && reason.contains("yours to replace"), "{reason}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
