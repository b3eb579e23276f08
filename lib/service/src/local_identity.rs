//! Who the service is on one machine: its signer, and roots in files that may change while it runs.

use std::{
    fs,
    path::PathBuf,
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

/// Signs with one signer, and follows the files of trust anchors. A version that cannot be used is logged and not
/// taken: the last one that could goes on.
pub struct LocalIdentity {
    signer: Arc<dyn Signer>,
    files: Arc<Files>,
    kept: Mutex<Kept>,
    /// Held by whoever looks at the files; the others use what is kept.
    looking: tokio::sync::Mutex<()>,
}

struct Files {
    installation: Installation,
    further: AnchorFiles,
}

/// What tells the versions of a file apart; `None` when it cannot be found.
type Version = Option<(SystemTime, u64)>;

struct Kept {
    trust: TrustAnchors,
    /// The versions that were read last, whether they could be used or not.
    seen: Vec<Version>,
    next_look: Instant,
}

impl LocalIdentity {
    /// Signs with `signer`; trusts the installation's own roots and those in the files `further`.
    ///
    /// # Errors
    /// When a file cannot be read or holds something else.
    pub fn new(
        signer: Arc<dyn Signer>,
        installation: Installation,
        further: AnchorFiles,
    ) -> Result<Self, InstallationError> {
        let files = Files { installation, further };
        // The versions first: what changes while it is read is read again.
        let seen = files.versions();
        let trust = files.read()?;
        Ok(Self {
            signer,
            files: Arc::new(files),
            kept: Mutex::new(Kept { trust, seen, next_look: Instant::now() + PAUSE }),
            looking: tokio::sync::Mutex::default(),
        })
    }

    /// Looks at the files, and takes what can be used.
    async fn look(&self) {
        let seen = self.with_kept(|kept| kept.seen.clone());
        let files = Arc::clone(&self.files);
        let looked = task::spawn_blocking(move || {
            let versions = files.versions();
            (versions != seen).then(|| (versions, files.read()))
        });
        // The task cannot fail but with the runtime, and then there is nothing to follow.
        let changed = looked.await.ok().flatten();
        self.with_kept(|kept| {
            kept.next_look = Instant::now() + PAUSE;
            let Some((versions, trust)) = changed else { return };
            kept.seen = versions;
            match trust {
                Ok(trust) => {
                    let (signers, time_stamps) = (trust.signers(), trust.time_stamps());
                    tracing::info!(
                        signers = signers.certificates().len(),
                        time_stamps = time_stamps.certificates().len(),
                        "took new trust anchors"
                    );
                    kept.trust = trust;
                }
                Err(error) => tracing::error!(%error, "new trust anchors are not taken; the last ones go on"),
            }
        });
    }

    fn with_kept<T>(&self, use_it: impl FnOnce(&mut Kept) -> T) -> T {
        use_it(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Identity for LocalIdentity {
    async fn signer(&self) -> Result<Arc<dyn Signer>, SignerError> {
        Ok(Arc::clone(&self.signer))
    }

    async fn trust(&self) -> Result<TrustAnchors, SignerError> {
        if self.with_kept(|kept| kept.next_look <= Instant::now())
            && let Ok(_turn) = self.looking.try_lock()
        {
            self.look().await;
        }
        Ok(self.with_kept(|kept| kept.trust.clone()))
    }

    async fn check(&self) -> Result<(), SignerError> {
        check_signer(&*self.signer)
    }
}

impl Files {
    fn read(&self) -> Result<TrustAnchors, InstallationError> {
        self.installation.trust(&self.further)
    }

    fn versions(&self) -> Vec<Version> {
        let further = self.further.signers.iter().chain(&self.further.time_stamps);
        let further = further.map(|file| file.path.clone());
        self.installation.root_files().into_iter().chain(further).map(version).collect()
    }
}

fn version(path: PathBuf) -> Version {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
