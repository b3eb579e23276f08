//! A signer whose file changes while the service runs.

use std::{fs, path::PathBuf};

use credlink_keys::{KeyKind, LocalKeys, Replacement};
use credlink_pipeline::{timestamp::Clock as _, trust::AnchorList};
use credlink_service::{
    anchors::AnchorFiles,
    clock::SystemClock,
    identity::Identity as _,
    installation::Installation,
    local_identity::{LocalIdentity, PAUSE},
};
use tempfile::TempDir;
use tokio::time;

struct Followed {
    data: TempDir,
    identity: LocalIdentity,
}

impl Followed {
    fn new(chosen: Option<PathBuf>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let installation = Installation::new(data.path());
        let identity = LocalIdentity::new(installation, chosen, AnchorFiles::default()).unwrap();
        Self { data, identity }
    }

    /// The leaf of the signer when the files may be looked at again.
    async fn leaf_later(&self) -> Vec<u8> {
        time::pause();
        time::advance(PAUSE).await;
        time::resume();
        self.leaf().await
    }

    async fn leaf(&self) -> Vec<u8> {
        self.identity.signer().await.unwrap().chain()[0].clone()
    }
}

fn new_key(folder: &std::path::Path) -> Vec<u8> {
    use credlink_pipeline::signer::Signer as _;
    let made =
        LocalKeys::create(folder, KeyKind::P256, Replacement::KeepPrevious, SystemClock.now()).unwrap();
    made.keys.signer().chain()[0].clone()
}

#[tokio::test]
async fn a_new_signer_is_taken_within_a_second() {
    let followed = Followed::new(None);
    let (held, first) = (followed.identity.signer().await.unwrap(), followed.leaf().await);
    let second = new_key(&followed.data.path().join("keys"));
    assert_eq!(followed.leaf().await, first, "the file is not looked at so soon");
    assert_eq!(followed.leaf_later().await, second);
    assert_eq!(held.chain()[0], first, "a signature that is being made keeps its chain");
    assert_eq!(held.sign(b"a claim").await.unwrap().len(), held.signature_length());
}

#[tokio::test]
async fn the_roots_of_a_new_signer_come_with_it() {
    let followed = Followed::new(None);
    let keys = followed.data.path().join("keys");
    let old_root = fs::read_to_string(keys.join("root.pem")).unwrap();
    for name in ["root.pem", "root.key.pem", "intermediate.pem", "intermediate.key.pem"] {
        fs::remove_file(keys.join(name)).unwrap();
    }
    let second = new_key(&keys);
    assert_eq!(followed.leaf_later().await, second);
    let trust = followed.identity.trust().await.unwrap();
    let new_root = fs::read_to_string(keys.join("root.pem")).unwrap();
    assert_ne!(new_root, old_root);
    let new_root = AnchorList::from_pem(&new_root).unwrap();
    assert!(trust.signers().certificates().contains(&new_root.certificates()[0]));
}

#[tokio::test]
async fn a_signer_that_cannot_be_used_is_not_taken() {
    let followed = Followed::new(None);
    let first = followed.leaf().await;
    let path = followed.data.path().join("keys/signer.pem");
    let good = fs::read_to_string(&path).unwrap();
    let expired = {
        let folder = tempfile::tempdir().unwrap();
        let long_ago = credlink_pipeline::timestamp::Timestamp::parse("2020-01-01T00:00:00Z").unwrap();
        LocalKeys::open_or_create(folder.path(), KeyKind::P256, long_ago).unwrap();
        fs::read_to_string(folder.path().join("signer.pem")).unwrap()
    };
    let chain_only = good.split("-----END PRIVATE KEY-----\n").nth(1).unwrap().to_owned();
    for broken in
        [String::new(), "garbage".to_owned(), good[..good.len() - 40].to_owned(), chain_only, expired]
    {
        fs::write(&path, &broken).unwrap();
        assert_eq!(followed.leaf_later().await, first, "{broken}");
        followed.identity.check().await.unwrap();
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(followed.leaf_later().await, first);
    assert!(!path.exists(), "a service that runs makes no key");
    let second = new_key(&followed.data.path().join("keys"));
    assert_eq!(followed.leaf_later().await, second);
}

#[tokio::test]
async fn the_file_of_the_operator_is_followed_too() {
    let source = tempfile::tempdir().unwrap();
    let first = new_key(source.path());
    let file = source.path().join("signer.pem");
    let followed = Followed::new(Some(file));
    assert_eq!(followed.leaf().await, first);
    let second = new_key(source.path());
    assert_eq!(followed.leaf_later().await, second);
    assert!(!followed.data.path().join("keys").exists(), "no key of its own is made");
}
