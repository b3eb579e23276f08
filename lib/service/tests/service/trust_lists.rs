//! Lists of trust anchors that change while the service runs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use credlink_keys::{KeyKind, LocalKeys};
use credlink_local_aws::{Fate, FaultyLink, LocalAws};
use credlink_pipeline::{
    timestamp::Clock as _,
    trust::{AnchorList, TrustAnchors},
};
use credlink_service::{
    anchors::{AnchorFile, AnchorFiles},
    aws::anchor_objects::{AnchorObjects, MAX_AGE},
    clock::SystemClock,
    config::Config,
    identity::Identity as _,
    installation::Installation,
    local_identity::{LocalIdentity, PAUSE},
};
use tempfile::TempDir;
use tokio::time::{self, Instant};

/// Roots of several authorities, in PEM.
fn roots<const N: usize>() -> [String; N] {
    std::array::from_fn(|_| {
        let folder = tempfile::tempdir().unwrap();
        let keys = LocalKeys::open_or_create(folder.path(), KeyKind::P256, SystemClock.now()).unwrap();
        keys.trust_anchors().unwrap()
    })
}

const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n";

/// Whether each of `pem` is among `list`.
fn knows(list: &AnchorList, pem: &[&str]) -> bool {
    pem.iter().all(|pem| {
        let certificate = AnchorList::from_pem(pem).unwrap().certificates()[0].clone();
        list.certificates().contains(&certificate)
    })
}

/// An installation that follows two files.
struct Followed {
    data: TempDir,
    signers: PathBuf,
    time_stamps: PathBuf,
    identity: LocalIdentity,
}

impl Followed {
    fn new(signers_pem: &str, time_stamps_pem: &str) -> Self {
        Self::try_new(signers_pem, time_stamps_pem).unwrap()
    }

    fn try_new(signers_pem: &str, time_stamps_pem: &str) -> Result<Self, String> {
        let data = tempfile::tempdir().unwrap();
        let (signers, time_stamps) = (data.path().join("signers.pem"), data.path().join("tsa.pem"));
        fs::write(&signers, signers_pem).unwrap();
        fs::write(&time_stamps, time_stamps_pem).unwrap();
        let installation = Installation::new(data.path());
        let files = AnchorFiles {
            signers: vec![AnchorFile::new("TRUST_ANCHORS", &signers)],
            time_stamps: vec![AnchorFile::new("TSA_ANCHORS", &time_stamps)],
        };
        let identity = LocalIdentity::new(installation, None, files).map_err(|error| error.to_string())?;
        Ok(Self { data, signers, time_stamps, identity })
    }

    async fn trust(&self) -> TrustAnchors {
        self.identity.trust().await.unwrap()
    }

    /// What is trusted when the files may be looked at again.
    async fn trust_later(&self) -> TrustAnchors {
        time::pause();
        time::advance(PAUSE).await;
        time::resume();
        self.trust().await
    }

    fn own_root(&self) -> String {
        fs::read_to_string(self.data.path().join("keys/root.pem")).unwrap()
    }
}

#[tokio::test]
async fn both_lists_follow_their_files_and_stay_apart() {
    let [a, b, c, d] = roots();
    let followed = Followed::new(&a, &b);
    let own = followed.own_root();
    let trust = followed.trust().await;
    assert!(knows(trust.signers(), &[&own, &a]) && knows(trust.time_stamps(), &[&b]));
    assert_eq!((trust.signers().certificates().len(), trust.time_stamps().certificates().len()), (2, 1));

    fs::write(&followed.signers, format!("{a}{c}")).unwrap();
    fs::write(&followed.time_stamps, format!("# comment\n{d}")).unwrap();
    let trust = followed.trust().await;
    assert_eq!(trust.signers().certificates().len(), 2, "the files are not looked at so soon");
    let trust = followed.trust_later().await;
    assert!(knows(trust.signers(), &[&own, &a, &c]) && knows(trust.time_stamps(), &[&d]));
    assert_eq!((trust.signers().certificates().len(), trust.time_stamps().certificates().len()), (3, 1));
}

#[tokio::test]
async fn a_version_that_cannot_be_used_is_not_taken() {
    let [a, b, c] = roots();
    let followed = Followed::new(&a, &b);
    for broken in [format!("{c}{BROKEN}"), "no certificate".to_owned(), String::new()] {
        fs::write(&followed.signers, &broken).unwrap();
        let trust = followed.trust_later().await;
        assert!(knows(trust.signers(), &[&a]) && !knows(trust.signers(), &[&c]), "{broken}");
    }
    fs::remove_file(&followed.signers).unwrap();
    assert!(knows(followed.trust_later().await.signers(), &[&a]));
    fs::write(&followed.signers, &c).unwrap();
    let trust = followed.trust_later().await;
    assert!(knows(trust.signers(), &[&followed.own_root(), &c]) && !knows(trust.signers(), &[&a]));
}

#[tokio::test]
async fn roots_of_imported_chains_are_followed_too() {
    let [a, b, imported] = roots();
    let followed = Followed::new(&a, &b);
    let folder = followed.data.path().join("keys/trust");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("anchors.pem"), &imported).unwrap();
    let trust = followed.trust_later().await;
    assert!(knows(trust.signers(), &[&a, &imported, &followed.own_root()]));
}

#[test]
fn a_list_that_cannot_be_used_stops_the_start_and_is_named() {
    let [a, b] = roots();
    for (signers, time_stamps, setting, file, what) in [
        (&*format!("{a}{BROKEN}"), &*b, "TRUST_ANCHORS", "signers.pem", "certificate 2"),
        (&*a, &*format!("{b}{b}{BROKEN}"), "TSA_ANCHORS", "tsa.pem", "certificate 3"),
        (&*a, "", "TSA_ANCHORS", "tsa.pem", "no certificate"),
    ] {
        let Err(line) = Followed::try_new(signers, time_stamps) else { panic!("{setting} was taken") };
        assert!(line.contains(setting) && line.contains(file) && line.contains(what), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }
}

fn config(signers: &str, time_stamps: &str) -> Config {
    let lookup = |name: &str| match name {
        "TRUST_ANCHORS" => Some(signers.to_owned()),
        "TSA_ANCHORS" => Some(time_stamps.to_owned()),
        _ => None,
    };
    Config::from_env(lookup).unwrap()
}

async fn put(s3: &aws_sdk_s3::Client, bucket: &str, key: &str, pem: &str) {
    let body = pem.as_bytes().to_vec().into();
    s3.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
}

#[tokio::test]
async fn objects_are_followed_once_a_minute() {
    let [a, b, c] = roots();
    let aws = LocalAws::shared();
    let (bucket, direct) = (aws.make_bucket().await, credlink_aws::s3(&aws.sdk_config()));
    put(&direct, &bucket, "signers.pem", &a).await;
    put(&direct, &bucket, "tsa.pem", &b).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let link = FaultyLink::to(aws, move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Fate::Pass
    });
    let config = config(&format!("s3://{bucket}/signers.pem"), &format!("s3://{bucket}/tsa.pem"));
    let objects = AnchorObjects::open(&config, &credlink_aws::s3(&link.sdk_config())).await.unwrap();
    let start = Instant::now();
    let first = objects.anchors(start).await;
    assert!(knows(&first.signers, &[&a]) && knows(&first.time_stamps, &[&b]));
    assert_eq!(calls.load(Ordering::SeqCst), 2);

    let unchanged = objects.anchors(start + MAX_AGE).await;
    assert!(Arc::ptr_eq(&first, &unchanged));
    assert_eq!(calls.load(Ordering::SeqCst), 4);

    put(&direct, &bucket, "tsa.pem", &c).await;
    assert!(Arc::ptr_eq(&first, &objects.anchors(start + MAX_AGE + MAX_AGE / 2).await));
    assert_eq!(calls.load(Ordering::SeqCst), 4, "S3 is not asked so soon");
    let second = objects.anchors(start + 2 * MAX_AGE).await;
    assert!(knows(&second.signers, &[&a]) && knows(&second.time_stamps, &[&c]));

    put(&direct, &bucket, "tsa.pem", &format!("{b}{BROKEN}")).await;
    direct.delete_object().bucket(&bucket).key("signers.pem").send().await.unwrap();
    assert!(Arc::ptr_eq(&second, &objects.anchors(start + 3 * MAX_AGE).await));
    put(&direct, &bucket, "tsa.pem", &b).await;
    let third = objects.anchors(start + 4 * MAX_AGE).await;
    assert!(knows(&third.signers, &[&a]) && knows(&third.time_stamps, &[&b]));
}

#[tokio::test]
async fn while_s3_is_not_there_the_last_anchors_go_on() {
    let [a] = roots();
    let aws = LocalAws::shared();
    let (bucket, direct) = (aws.make_bucket().await, credlink_aws::s3(&aws.sdk_config()));
    put(&direct, &bucket, "tsa.pem", &a).await;
    let mut first = true;
    let link =
        FaultyLink::to(
            aws,
            move |_| if std::mem::take(&mut first) { Fate::Pass } else { Fate::server_fault() },
        );
    let config = config("", &format!("s3://{bucket}/tsa.pem"));
    let objects = AnchorObjects::open(&config, &credlink_aws::s3(&link.sdk_config())).await.unwrap();
    let begun = Instant::now();
    let anchors = objects.anchors(begun + MAX_AGE).await;
    assert!(knows(&anchors.time_stamps, &[&a]) && anchors.signers.certificates().is_empty());
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn an_object_that_cannot_be_used_stops_the_start_and_is_named() {
    let [a] = roots();
    let aws = LocalAws::shared();
    let (bucket, s3) = (aws.make_bucket().await, credlink_aws::s3(&aws.sdk_config()));
    put(&s3, &bucket, "broken.pem", &format!("{a}{BROKEN}")).await;
    for (place, what) in [
        (format!("s3://{bucket}/broken.pem"), "certificate 2"),
        (format!("s3://{bucket}/absent.pem"), "no such object"),
        (format!("s3://{bucket}"), "s3://bucket/key"),
        (Path::new("/tmp/tsa.pem").display().to_string(), "s3://bucket/key"),
    ] {
        let Err(error) = AnchorObjects::open(&config("", &place), &s3).await else {
            panic!("{place} was taken")
        };
        let line = error.to_string();
        assert!(line.contains("TSA_ANCHORS") && line.contains(&place) && line.contains(what), "{line}");
    }
}
