//! Who the service is on one machine: a signer and roots in files that may change while it runs.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use credlink_pipeline::{
    signer::{Signer, SignerError},
    trust::TrustAnchors,
};
use tokio::{task, time::Instant};

use crate::{
    anchors::AnchorFiles,
    identity::{Identity, check_signer},
    installation::{Installation, InstallationError},
};

/// How long the files are not looked at again.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Follows the file of the signer, and those of trust anchors. A version that cannot be used is logged and not taken: the
/// last one that could goes on. A signature that is being made keeps the key and the chain that it began with.
pub struct LocalIdentity {
    files: Arc<Files>,
    kept: Mutex<Kept>,
    /// Held by whoever looks at the files; the others use what is kept.
    looking: tokio::sync::Mutex<()>,
}

struct Files {
    installation: Installation,
    /// The file of the signer, if it is not the installation's own.
    chosen_signer: Option<PathBuf>,
    further: AnchorFiles,
}

/// What tells the versions of a file apart; `None` when it cannot be found.
type Version = Option<(SystemTime, u64, u64)>;

struct Kept {
    signer: Arc<dyn Signer>,
    trust: TrustAnchors,
    /// The versions that were read last, whether they could be used or not.
    seen: Seen,
    next_look: Instant,
}

#[derive(Clone, PartialEq, Eq)]
struct Seen {
    signer: Version,
    anchors: Vec<Version>,
}

/// What was read anew.
struct News {
    signer: Option<Result<Arc<dyn Signer>, InstallationError>>,
    trust: Option<Result<TrustAnchors, InstallationError>>,
}

impl LocalIdentity {
    /// Signs with the signer in the PEM file `chosen_signer`, key and chain together, else with the installation's own,
    /// which is made on first use; trusts the installation's own roots and those in the files `further`.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else, or when the signer cannot sign now.
    pub fn new(
        installation: Installation,
        chosen_signer: Option<PathBuf>,
        further: AnchorFiles,
    ) -> Result<Self, InstallationError> {
        let files = Files { installation, chosen_signer, further };
        // The signer first: on first use it makes the root that is trusted.
        files.read_signer()?;
        // Then the versions: what changes while it is read is read again.
        let seen = files.versions();
        let (signer, trust) = (files.read_signer()?, files.read_trust()?);
        Ok(Self {
            files: Arc::new(files),
            kept: Mutex::new(Kept { signer, trust, seen, next_look: Instant::now() + PAUSE }),
            looking: tokio::sync::Mutex::default(),
        })
    }

    /// Looks at the files when it is time, and takes what can be used.
    async fn follow(&self) {
        if self.with_kept(|kept| kept.next_look <= Instant::now())
            && let Ok(_turn) = self.looking.try_lock()
        {
            self.look().await;
        }
    }

    async fn look(&self) {
        let seen = self.with_kept(|kept| kept.seen.clone());
        let files = Arc::clone(&self.files);
        let looked = task::spawn_blocking(move || {
            let versions = files.versions();
            let news = files.news(&seen, &versions);
            (versions, news)
        });
        // The task cannot fail but with the runtime, and then there is nothing to follow.
        let changed = looked.await.ok();
        self.with_kept(|kept| {
            kept.next_look = Instant::now() + PAUSE;
            let Some((versions, news)) = changed else { return };
            kept.seen = versions;
            kept.take(news);
        });
    }

    fn with_kept<T>(&self, use_it: impl FnOnce(&mut Kept) -> T) -> T {
        use_it(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Identity for LocalIdentity {
    async fn signer(&self) -> Result<Arc<dyn Signer>, SignerError> {
        self.follow().await;
        Ok(self.with_kept(|kept| Arc::clone(&kept.signer)))
    }

    async fn trust(&self) -> Result<TrustAnchors, SignerError> {
        self.follow().await;
        Ok(self.with_kept(|kept| kept.trust.clone()))
    }

    async fn check(&self) -> Result<(), SignerError> {
        check_signer(&*self.signer().await?)
    }
}

impl Kept {
    /// Both at once: nobody gets a new signer together with roots that do not know it yet.
    fn take(&mut self, news: News) {
        match news.trust {
            None => {}
            Some(Ok(trust)) => {
                let (signers, time_stamps) = (trust.signers(), trust.time_stamps());
                tracing::info!(
                    signers = signers.certificates().len(),
                    time_stamps = time_stamps.certificates().len(),
                    "took new trust anchors"
                );
                self.trust = trust;
            }
            Some(Err(error)) => {
                tracing::error!(%error, "new trust anchors are not taken; the last ones go on");
            }
        }
        match news.signer {
            None => {}
            Some(Ok(signer)) if signer.chain() == self.signer.chain() => {}
            Some(Ok(signer)) => {
                tracing::info!(algorithm = %signer.algorithm(), "took a new signer");
                self.signer = signer;
            }
            Some(Err(error)) => tracing::error!(%error, "a new signer is not taken; the last one goes on"),
        }
    }
}

impl Files {
    /// The signer before the roots: a rotation writes the root first, so whoever reads a new signer reads its root too.
    fn news(&self, seen: &Seen, now: &Seen) -> News {
        let signer = (seen.signer != now.signer).then(|| self.reread_signer());
        let trust = (signer.is_some() || seen.anchors != now.anchors).then(|| self.read_trust());
        News { signer, trust }
    }

    fn read_signer(&self) -> Result<Arc<dyn Signer>, InstallationError> {
        self.installation.signer(self.chosen_signer.as_deref())
    }

    /// Makes no new key where there is none any more.
    fn reread_signer(&self) -> Result<Arc<dyn Signer>, InstallationError> {
        self.installation.signer_if_any(self.chosen_signer.as_deref())
    }

    fn read_trust(&self) -> Result<TrustAnchors, InstallationError> {
        self.installation.trust(&self.further)
    }

    fn versions(&self) -> Seen {
        let further = self.further.signers.iter().chain(&self.further.time_stamps);
        let further = further.map(|file| file.path.clone());
        let anchors = self.installation.root_files().into_iter().chain(further);
        let signer = self.chosen_signer.clone().unwrap_or_else(|| self.installation.signer_file());
        Seen { signer: version(&signer), anchors: anchors.map(|path| version(&path)).collect() }
    }
}

fn version(path: &Path) -> Version {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), number(&metadata)))
}

/// Two files of one length may be renamed into a place within one tick of the file system's clock.
#[cfg(unix)]
fn number(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_metadata: &fs::Metadata) -> u64 {
    0
}
