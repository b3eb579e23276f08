//! The cleanup as a job: where it goes on, when it ends, and what it says.

use std::{
    fs::{self, File},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use credlink_local_aws::LocalAws;
use credlink_pipeline::{
    asset::Format,
    digest::Sha256Hash,
    proof::{Proof, ProofId, ProofStore as _},
    timestamp::Clock as _,
};
use credlink_proofs::{
    MemoryProofStore, ProofCounts, StoreLocation,
    upkeep::{Sweep, SweptPage, Tally, Upkeep, UpkeepError},
};
use credlink_service::{
    aws::upload_sweep::UploadSweep,
    clock::SystemClock,
    idempotency_folder::IdempotencyFolder,
    installation::{Installation, open_proofs},
    jobs::{Counts, Job as _, JobError, JobRun, Progress, ProofCleanup},
    local_uploads::LocalUploads,
    uploads::UploadId,
};
use serde_json::{Value, json};
use tokio::time::Instant;

/// A place to keep progress that breaks or stops when a test wants it to.
#[derive(Default)]
struct Kept {
    last: Mutex<Option<Value>>,
    times: AtomicUsize,
    /// How often it can be kept before the lease is lost.
    until_lost: Option<usize>,
    /// How often it is kept before somebody asks the run to stop.
    until_stopped: Option<usize>,
}

#[async_trait]
impl Progress for Kept {
    fn last(&self) -> Option<Value> {
        self.last.lock().unwrap().clone()
    }

    async fn keep(&self, progress: Option<Value>) -> Result<(), JobError> {
        if self.times.fetch_add(1, Ordering::Relaxed) + 1 > self.until_lost.unwrap_or(usize::MAX) {
            return Err(JobError::LeaseLost);
        }
        *self.last.lock().unwrap() = progress;
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        self.times.load(Ordering::Relaxed) >= self.until_stopped.unwrap_or(usize::MAX)
    }
}

/// So many pages, of which each removes one proof and keeps another one.
struct Pages {
    subject: &'static str,
    pages: usize,
    swept: Mutex<Vec<usize>>,
    faulty: bool,
}

impl Pages {
    fn new(subject: &'static str, pages: usize) -> Arc<Self> {
        Arc::new(Self { subject, pages, swept: Mutex::default(), faulty: false })
    }

    fn swept(&self) -> Vec<usize> {
        std::mem::take(&mut self.swept.lock().unwrap())
    }
}

#[async_trait]
impl Upkeep for Pages {
    fn subject(&self) -> &'static str {
        self.subject
    }

    async fn sweep_page(&self, _: Sweep, after: Option<&str>) -> Result<SweptPage, UpkeepError> {
        let at: usize = match after {
            None => 0,
            Some(place) => place.parse().map_err(|_| UpkeepError::UnknownPlace(place.to_owned()))?,
        };
        self.swept.lock().unwrap().push(at);
        let next = Some(at + 1).filter(|next| *next < self.pages).map(|next| next.to_string());
        let proofs = ProofCounts { valid: 1, bytes: 10, ..ProofCounts::default() };
        let tally = Tally { expired_proofs_removed: 1, proofs, ..Tally::default() };
        let mut page = SweptPage { tally, next, ..SweptPage::default() };
        if self.faulty {
            page.faults.add(&"the disk is read-only");
        }
        Ok(page)
    }
}

async fn run(cleanup: &ProofCleanup, progress: &Kept, dry_run: bool) -> Result<Counts, JobError> {
    let deadline = Instant::now() + Duration::from_secs(60);
    cleanup.run(&JobRun { now: SystemClock.now(), deadline, dry_run, forced: false, progress }).await
}

#[tokio::test]
async fn a_run_goes_on_where_the_last_one_stopped() {
    let (first, second) = (Pages::new("first", 3), Pages::new("second", 2));
    let cleanup = ProofCleanup::new(vec![first.clone(), second.clone()]);
    let mut progress = Kept::default();
    for (stop_after, of_first, of_second) in [(2, vec![0, 1], vec![]), (2, vec![2], vec![0])] {
        progress.until_stopped = Some(stop_after);
        progress.times = AtomicUsize::new(0);
        let counts = run(&cleanup, &progress, false).await.unwrap();
        assert_eq!((&counts["finished"], &counts["expiredProofsRemoved"]), (&json!(false), &json!(2)));
        assert_eq!(counts.get("proofsKept"), None, "not all is counted yet");
        assert_eq!((first.swept(), second.swept()), (of_first, of_second));
    }
    progress.until_stopped = None;
    let counts = run(&cleanup, &progress, false).await.unwrap();
    assert_eq!((first.swept(), second.swept()), (vec![], vec![1]));
    assert_eq!((&counts["finished"], &counts["expiredProofsRemoved"]), (&json!(true), &json!(1)));
    assert_eq!((&counts["proofsKept"], &counts["proofsBytes"]), (&json!(5), &json!(50)));
    assert_eq!(progress.last(), None);
    run(&cleanup, &progress, false).await.unwrap();
    assert_eq!((first.swept(), second.swept()), (vec![0, 1, 2], vec![0, 1]));
}

#[tokio::test]
async fn a_run_that_lost_its_lease_ends_at_once() {
    let pages = Pages::new("pages", 10);
    let cleanup = ProofCleanup::new(vec![pages.clone()]);
    let progress = Kept { until_lost: Some(3), ..Kept::default() };
    assert_eq!(run(&cleanup, &progress, false).await, Err(JobError::LeaseLost));
    assert_eq!(pages.swept(), [0, 1, 2, 3]);
    assert_eq!(progress.last().unwrap()["after"], "3", "the other run's place is left alone");
}

#[tokio::test]
async fn a_run_whose_time_is_over_does_nothing() {
    let pages = Pages::new("pages", 10);
    let cleanup = ProofCleanup::new(vec![pages.clone()]);
    let progress = Kept::default();
    let now = SystemClock.now();
    let over = JobRun { now, deadline: Instant::now(), dry_run: false, forced: false, progress: &progress };
    let counts = cleanup.run(&over).await.unwrap();
    assert_eq!((&counts["finished"], pages.swept()), (&json!(false), vec![]));
}

#[tokio::test]
async fn a_dry_run_leaves_the_place_of_the_others() {
    let pages = Pages::new("pages", 3);
    let cleanup = ProofCleanup::new(vec![pages.clone()]);
    let progress = Kept { until_stopped: Some(1), ..Kept::default() };
    run(&cleanup, &progress, false).await.unwrap();
    let place = progress.last();
    pages.swept();
    let progress = Kept { last: Mutex::new(place.clone()), ..Kept::default() };
    let counts = run(&cleanup, &progress, true).await.unwrap();
    assert_eq!((pages.swept(), &counts["finished"]), (vec![0, 1, 2], &json!(true)));
    assert_eq!((progress.last(), progress.times.load(Ordering::Relaxed)), (place, 3));
}

#[tokio::test]
async fn a_place_that_cannot_be_read_is_the_beginning() {
    let pages = Pages::new("pages", 2);
    let cleanup = ProofCleanup::new(vec![pages.clone()]);
    let census = json!({"valid": 0, "createdLastDay": 0, "expiredWaiting": 0, "bytes": 0,
        "asOf": "2026-01-01T00:00:00Z"});
    for place in [
        json!("somewhere"),
        json!({"subject": "others", "after": "1", "census": census.clone()}),
        json!({"subject": "pages", "after": "by-name/0ff", "census": census}),
    ] {
        let progress = Kept { last: Mutex::new(Some(place.clone())), ..Kept::default() };
        let counts = run(&cleanup, &progress, false).await.unwrap();
        assert_eq!((pages.swept(), &counts["proofsKept"]), (vec![0, 1], &json!(2)), "{place}");
    }
}

#[tokio::test]
async fn faults_fail_the_run_and_do_not_hold_it_up() {
    let faulty = Arc::new(Pages { subject: "pages", pages: 12, swept: Mutex::default(), faulty: true });
    let cleanup = ProofCleanup::new(vec![faulty.clone()]);
    let progress = Kept::default();
    for (swept, place) in [((0..10).collect::<Vec<_>>(), Some("10")), (vec![10, 11], None)] {
        let failure = run(&cleanup, &progress, false).await.unwrap_err();
        let JobError::Passing(text) = failure else { panic!("{failure}") };
        assert!(text.contains(&format!("{} things", swept.len())) && text.contains("read-only"), "{text}");
        assert_eq!(faulty.swept(), swept);
        assert_eq!(progress.last().map(|last| last["after"].clone()), place.map(Value::from));
    }
}

#[tokio::test]
async fn expired_proofs_go_and_the_others_are_counted() {
    let store = Arc::new(MemoryProofStore::new());
    let (expired, valid) = (proof_until("2019-01-01T00:00:00Z"), proof_until("9999-01-01T00:00:00Z"));
    store.put(&expired).await.unwrap();
    store.put(&valid).await.unwrap();
    let cleanup = ProofCleanup::new(vec![store.clone()]);
    let counts = run(&cleanup, &Kept::default(), false).await.unwrap();
    assert_eq!((&counts["expiredProofsRemoved"], &counts["proofsKept"]), (&json!(1), &json!(1)));
    assert_eq!(store.proof(valid.record.id, SystemClock.now()).await.unwrap(), Some(valid));
}

fn proof_until(expires_at: &str) -> Proof {
    let id = ProofId::random();
    let record = serde_json::from_value(json!({
        "id": id,
        "uri": format!("https://proofs.example/proofs/{id}"),
        "imageHash": Sha256Hash::of(b"image"),
        "manifestHash": Sha256Hash::of(b"manifest store"),
        "format": Format::Png,
        "imageLength": 5,
        "createdAt": "2018-01-01T00:00:00Z",
        "expiresAt": expires_at,
    }));
    let record = record.unwrap();
    Proof { record, manifest_store: Bytes::from_static(b"manifest store") }
}

/// Makes the file so many minutes older.
fn age(path: &Path, minutes: u64) {
    let written = SystemTime::now() - Duration::from_secs(60 * minutes);
    File::options().append(true).open(path).unwrap().set_modified(written).unwrap();
}

#[tokio::test]
async fn uploads_and_results_past_their_time_go() {
    let dir = tempfile::tempdir().unwrap();
    let uploads = LocalUploads::as_they_are(dir.path());
    let (old, young) = (UploadId::random(), UploadId::random());
    for (name, minutes) in [
        (format!("{old}.upload"), 91),
        (format!("{old}.upload.data"), 91),
        (format!("{old}.result.data"), 91),
        (format!("{old}.partial"), 91),
        (format!("{young}.upload"), 89),
        (format!("{young}.result"), 89),
        ("notes.txt".to_owned(), 1000),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, "content").unwrap();
        age(&path, minutes);
    }
    let expected =
        Tally { uploads_removed: 1, results_removed: 1, temporary_files_removed: 1, ..Tally::default() };
    for (dry_run, left) in [(true, 7), (false, 3)] {
        let page = uploads.sweep_page(Sweep::new(SystemClock.now(), dry_run), None).await.unwrap();
        assert_eq!(page, SweptPage { tally: expected.clone(), ..SweptPage::default() });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), left);
    }
    let missing = LocalUploads::as_they_are(dir.path().join("missing"));
    assert_eq!(
        missing.sweep_page(Sweep::new(SystemClock.now(), false), None).await,
        Ok(SweptPage::default())
    );
}

#[tokio::test]
async fn idempotency_keys_go_a_day_after_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemClock.now();
    let hours_ago = |hours: i64| now.unix_seconds() - hours * 3600;
    for (key, content) in [
        ("old", json!({"ttl": hours_ago(26), "status": 200}).to_string()),
        ("older", json!({"ttl": hours_ago(100)}).to_string()),
        ("young", json!({"ttl": hours_ago(24)}).to_string()),
        ("garbage", "{".to_owned()),
    ] {
        let name = Sha256Hash::of(key.as_bytes()).to_string();
        fs::create_dir_all(dir.path().join(&name[..2])).unwrap();
        fs::write(dir.path().join(&name[..2]).join(name).with_extension("json"), content).unwrap();
    }
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    let folder = IdempotencyFolder::new(dir.path());
    for dry_run in [true, false] {
        let (mut removed, mut after) = (0, None);
        loop {
            let sweep = Sweep { page: 1, ..Sweep::new(now, dry_run) };
            let page = folder.sweep_page(sweep, after.as_deref()).await.unwrap();
            removed += page.tally.idempotency_keys_removed;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(removed, 2);
    }
    let left = fs::read_dir(dir.path()).unwrap().flatten().filter(|part| part.path().is_dir());
    assert_eq!(left.map(|part| fs::read_dir(part.path()).unwrap().count()).sum::<usize>(), 2);
    let missing = IdempotencyFolder::new(dir.path().join("missing"));
    assert_eq!(missing.sweep_page(Sweep::new(now, false), None).await, Ok(SweptPage::default()));
}

#[tokio::test]
async fn the_bucket_of_uploads_is_cleaned_up() {
    let aws = LocalAws::shared();
    let (bucket, client) = (aws.make_bucket().await, credlink_aws::s3(&aws.sdk_config()));
    let others = ["uploads/", "uploads/notes.txt", "readme.txt"].map(str::to_owned);
    let ours = [format!("uploads/{}", UploadId::random()), format!("results/{}", ProofId::random())];
    for key in others.iter().chain(&ours) {
        let body = ByteStream::from_static(b"content");
        client.put_object().bucket(&bucket).key(key).body(body).send().await.unwrap();
    }
    let names = async || {
        let listed = client.list_objects_v2().bucket(&bucket).send().await.unwrap();
        listed.contents.unwrap_or_default().len()
    };
    let upkeep = UploadSweep::new(client.clone(), bucket.clone());
    let in_two_days = SystemClock.now().plus_days(2);
    for (now, dry_run, removed, left) in
        [(SystemClock.now(), false, 0, 5), (in_two_days, true, 1, 5), (in_two_days, false, 1, 3)]
    {
        let (mut tally, mut after) = (Tally::default(), None);
        loop {
            let sweep = Sweep { page: 2, ..Sweep::new(now, dry_run) };
            let page = upkeep.sweep_page(sweep, after.as_deref()).await.unwrap();
            assert_eq!(page.faults.first, None);
            tally.add(page.tally);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((tally.uploads_removed, tally.results_removed, names().await), (removed, removed, left));
    }
}

#[tokio::test]
async fn an_installation_is_cleaned_up_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let installation = Installation::new(dir.path());
    let proofs = open_proofs(&StoreLocation::local(dir.path())).await.unwrap();
    proofs.put(&proof_until("2019-01-01T00:00:00Z")).await.unwrap();
    let counts = run(&installation.cleanup(proofs), &Kept::default(), false).await.unwrap();
    assert_eq!((&counts["expiredProofsRemoved"], &counts["finished"]), (&json!(1), &json!(true)));
}
