//! The job that gives proofs their time-stamps.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use credlink_pipeline::{
    proof::{ProofId, ProofRecord, ProofStore as _},
    time_stamp_authority::TimeStampAuthority,
    trust::TrustAnchors,
};
use credlink_service::{
    identity::FixedIdentity,
    jobs::{Counts, Job as _, JobError, JobRun, Progress, RestampJob, RestampPorts, RestampSettings},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    LIFE, Scene,
    authority::{Mode, Root, ShortSigner, trust},
    days_from_now, now,
};

/// Keeps progress, and may lose the lease.
#[derive(Default)]
struct Kept {
    progress: Mutex<Option<Value>>,
    writes: AtomicUsize,
    lost_after: Option<usize>,
}

#[async_trait]
impl Progress for Kept {
    fn last(&self) -> Option<Value> {
        self.progress.lock().unwrap().clone()
    }

    async fn keep(&self, progress: Option<Value>) -> Result<(), JobError> {
        let earlier = self.writes.fetch_add(1, Ordering::SeqCst);
        if self.lost_after.is_some_and(|after| earlier >= after) {
            return Err(JobError::LeaseLost);
        }
        *self.progress.lock().unwrap() = progress;
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        false
    }
}

/// How the job is run.
struct Run<'a> {
    scene: &'a Scene,
    authority: bool,
    dry_run: bool,
    forced: bool,
    time: Duration,
    progress: Kept,
    trust: TrustAnchors,
}

impl<'a> Run<'a> {
    fn new(scene: &'a Scene) -> Self {
        Self {
            scene,
            authority: true,
            dry_run: false,
            forced: false,
            time: Duration::from_secs(600),
            progress: Kept::default(),
            trust: scene.trust.clone(),
        }
    }

    async fn counts(&self) -> Counts {
        self.outcome().await.unwrap()
    }

    async fn outcome(&self) -> Result<Counts, JobError> {
        let scene = self.scene;
        let authority = Arc::clone(&scene.authority) as Arc<dyn TimeStampAuthority>;
        let ports = RestampPorts {
            proofs: Arc::clone(&scene.proofs) as _,
            identity: Arc::new(FixedIdentity {
                signer: Arc::new(ShortSigner::new(&scene.signers, days_from_now(300))),
                trust: self.trust.clone(),
            }),
            authority: self.authority.then_some(authority),
            revocation: None,
            clock: Arc::clone(&scene.clock) as _,
        };
        let run = JobRun {
            now: scene.clock_time(),
            deadline: Instant::now() + self.time,
            dry_run: self.dry_run,
            forced: self.forced,
            progress: &self.progress,
        };
        RestampJob::new(ports, RestampSettings::default()).run(&run).await
    }
}

async fn record(scene: &Scene, id: ProofId) -> ProofRecord {
    scene.proofs.record(id, now()).await.unwrap().unwrap()
}

fn number(counts: &Counts, name: &str) -> u64 {
    counts[name].as_u64().unwrap_or_else(|| panic!("{name} in {counts:?}"))
}

#[tokio::test(start_paused = true)]
async fn what_is_due_gets_a_stamp_and_nothing_else() {
    let scene = Scene::new();
    let (image, due) = scene.sign(8).await;
    let short = scene.sign_for(5, 9).await;
    let (_, later) = scene.sign_with(&ShortSigner::new(&scene.signers, days_from_now(100)), 10, None).await;
    let signer = ShortSigner::new(&scene.signers, days_from_now(LIFE));
    let (_, stamped) = scene.sign_with(&signer, 11, Some(&scene.authority)).await;

    let run = Run::new(&scene);
    let counts = run.counts().await;
    let expected = [
        ("proofsSeen", 4),
        ("due", 1),
        ("stamped", 1),
        ("alreadyStamped", 1),
        ("notNeeded", 1),
        ("notDue", 1),
        ("expiredUnstamped", 0),
        ("willExpire", 0),
    ];
    for (name, count) in expected {
        assert_eq!(number(&counts, name), count, "{name}: {counts:?}");
    }
    assert_eq!((&counts["finished"], &counts["failed"]), (&json!(true), &json!({})));
    assert_eq!(run.progress.last(), None);
    assert!(record(&scene, due.id).await.stamped.is_some());
    for other in [short.id, later.id, stamped.id] {
        assert_eq!(record(&scene, other).await.stamped, None);
    }
    assert!(scene.verify_in(LIFE + 10, &image).await.valid);

    let asked = scene.authority.asked();
    let again = Run::new(&scene).counts().await;
    assert_eq!((number(&again, "stamped"), number(&again, "alreadyStamped")), (0, 2));
    assert_eq!(scene.authority.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn stamps_come_at_a_measured_pace_and_a_run_goes_on_where_the_last_one_ended() {
    let scene = Scene::new();
    for width in 0..105 {
        scene.sign(8 + width).await;
    }
    let mut run = Run::new(&scene);
    run.time = Duration::from_millis(40_500);
    let started = Instant::now();
    let mut stamped = Vec::new();
    loop {
        let counts = run.counts().await;
        stamped.push(number(&counts, "stamped"));
        if counts["finished"] == true {
            break;
        }
        assert!(stamped.len() < 10, "{stamped:?}");
    }
    assert_eq!(stamped.iter().sum::<u64>(), 105, "{stamped:?}");
    assert!(stamped.len() == 3 && stamped[0] == 41, "{stamped:?}");
    assert!(started.elapsed() >= Duration::from_secs(100), "sixty in a minute: {:?}", started.elapsed());
    assert_eq!(scene.authority.asked(), 2 * 105, "each was stamped once");
    assert_eq!(run.progress.last(), None);
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_fails_ends_the_run_soon() {
    let scene = Scene::new();
    for width in 0..6 {
        scene.sign(8 + width).await;
    }
    *scene.authority.mode.lock().unwrap() = Mode::Silent;
    let run = Run::new(&scene);
    let error = run.outcome().await.unwrap_err();
    assert!(matches!(&error, JobError::Passing(reason) if reason.contains("did not answer")), "{error}");
    assert_eq!(scene.authority.asked(), 3);

    *scene.authority.mode.lock().unwrap() = Mode::OtherMessage;
    let error = run.outcome().await.unwrap_err();
    assert!(matches!(&error, JobError::Lasting(reason) if reason.contains("TSA_ANCHORS")), "{error}");

    *scene.authority.mode.lock().unwrap() = Mode::Stamping;
    assert_eq!(number(&run.counts().await, "stamped"), 6);
}

#[tokio::test(start_paused = true)]
async fn without_an_authority_the_report_tells_what_will_expire() {
    let scene = Scene::new();
    let (_, soon) = scene.sign(8).await;
    let (_, later) = scene.sign_with(&ShortSigner::new(&scene.signers, days_from_now(100)), 9, None).await;
    let mut run = Run::new(&scene);
    run.authority = false;
    let counts = run.counts().await;
    assert_eq!((number(&counts, "willExpire"), number(&counts, "stamped")), (2, 0));
    let named = counts["willExpireProofs"].as_array().unwrap();
    let ids: Vec<&str> = named.iter().map(|proof| proof["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [soon.id.to_string(), later.id.to_string()], "the first to expire stands first");
    for (record, proof) in [(&soon, &named[0]), (&later, &named[1])] {
        let until = record.signature.unwrap().valid_until.to_string();
        assert_eq!(proof["expiresAt"], json!(until));
        assert_eq!(counts["willExpirePerDay"][&until[..10]], json!(1));
    }

    scene.clock.set(days_from_now(LIFE + 1));
    let counts = run.counts().await;
    assert_eq!((number(&counts, "expiredUnstamped"), number(&counts, "willExpire")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_changes_nothing() {
    let scene = Scene::new();
    let (_, due) = scene.sign(8).await;
    let mut run = Run::new(&scene);
    run.dry_run = true;
    let counts = run.counts().await;
    assert_eq!((number(&counts, "due"), number(&counts, "stamped")), (1, 0));
    assert_eq!(record(&scene, due.id).await, due);
    assert_eq!((scene.authority.asked(), run.progress.writes.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn proofs_of_earlier_versions_are_looked_into() {
    let scene = Scene::new();
    let (image, record) = scene.sign(8).await;
    let mut old = scene.proof(record.id).await;
    old.record.signature = None;
    scene.proofs.delete(record.id).await.unwrap();
    scene.proofs.put(&old).await.unwrap();
    assert_eq!(number(&Run::new(&scene).counts().await, "stamped"), 1);
    assert!(scene.verify_in(LIFE + 10, &image).await.valid);
}

#[tokio::test(start_paused = true)]
async fn a_forced_run_replaces_stamps_that_do_not_count_any_more() {
    let mut scene = Scene::new();
    let (image, due) = scene.sign(8).await;
    assert_eq!(number(&Run::new(&scene).counts().await, "stamped"), 1);
    let first = record(&scene, due.id).await.stamped;

    // The operator trusts another authority now.
    let root = Root::new("Another authority");
    scene.authority = Arc::new(super::authority::Authority::new(&root, now()));
    scene.trust = trust(&scene.signers, Some(&root));
    assert!(!scene.verify_in(LIFE + 10, &image).await.valid);
    assert_eq!(number(&Run::new(&scene).counts().await, "alreadyStamped"), 1);
    let mut run = Run::new(&scene);
    run.forced = true;
    let counts = run.counts().await;
    assert_eq!(number(&counts, "stamped"), 1, "{counts:?}");
    assert_ne!(record(&scene, due.id).await.stamped, first);
    assert!(scene.verify_in(LIFE + 10, &image).await.valid);
    assert_eq!(number(&run.counts().await, "alreadyStamped"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lost_its_lease_ends_at_once() {
    let scene = Scene::new();
    for width in 0..3 {
        scene.sign(8 + width).await;
    }
    let mut run = Run::new(&scene);
    run.progress.lost_after = Some(1);
    assert_eq!(run.outcome().await.unwrap_err(), JobError::LeaseLost);
    assert_eq!(scene.authority.asked(), 4, "the second was stamped, and then it ended");
}

#[tokio::test(start_paused = true)]
async fn what_is_told_stays_short_and_the_first_to_expire_are_named() {
    let scene = Scene::new();
    for day in (0..70).rev() {
        let signer = ShortSigner::new(&scene.signers, days_from_now(LIFE + day));
        scene.sign_with(&signer, 8, None).await;
    }
    let mut run = Run::new(&scene);
    run.authority = false;
    let counts = run.counts().await;
    assert_eq!(number(&counts, "willExpire"), 70);
    let named = counts["willExpireProofs"].as_array().unwrap();
    assert_eq!(named.len(), 15);
    let first = days_from_now(LIFE).to_string();
    assert_eq!(named[0]["expiresAt"].as_str().unwrap()[..10], first[..10]);
    let per_day = counts["willExpirePerDay"].as_object().unwrap();
    assert_eq!((per_day.len(), &per_day["later"]), (61, &json!(10)));
    // The history keeps so much of a run.
    assert!(serde_json::to_vec(&counts).unwrap().len() < 4096);
}
