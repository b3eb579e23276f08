//! The trust anchors that the operator keeps in S3, read again from time to time.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_s3::Client;
use credlink_pipeline::trust::AnchorList;
use tokio::time::{self, Instant};

use super::objects::{Bucket, Look};
use crate::{
    anchors::{AnchorsError, MAX_BUNDLE_LENGTH, bundle},
    config::Config,
};

/// How old the anchors get before S3 is asked whether there are others.
pub const MAX_AGE: Duration = Duration::from_secs(60);

/// How long that may take. The last anchors go on when it takes longer.
const MAX_LOOK_TIME: Duration = Duration::from_secs(2);

/// The anchors besides those of the signers' record.
#[derive(Clone, Debug, Default)]
pub struct FurtherAnchors {
    /// Roots of signers.
    pub signers: AnchorList,
    /// Roots of time-stamp authorities.
    pub time_stamps: AnchorList,
}

/// What `TRUST_ANCHORS` and `TSA_ANCHORS` name. A version that cannot be read or used is logged and not taken: the last
/// one that could goes on.
pub struct AnchorObjects {
    signers: Option<AnchorObject>,
    time_stamps: Option<AnchorObject>,
    kept: Mutex<Kept>,
    /// Held by whoever asks S3; the others use what is kept.
    looking: tokio::sync::Mutex<()>,
}

struct AnchorObject {
    setting: &'static str,
    place: String,
    bucket: Bucket,
    key: String,
    /// The version that was read last, whether it could be used or not.
    etag: Mutex<Option<String>>,
}

struct Kept {
    anchors: Arc<FurtherAnchors>,
    next_look: Instant,
}

impl AnchorObjects {
    /// Reads the objects that `config` names.
    ///
    /// # Errors
    /// When one cannot be read, or is not a bundle of certificates.
    pub async fn open(config: &Config, s3: &Client) -> Result<Self, AnchorsError> {
        let object = |setting, place: &Option<_>| {
            place.as_deref().map(|place| AnchorObject::new(setting, place, s3)).transpose()
        };
        let signers = object("TRUST_ANCHORS", &config.trust_anchors)?;
        let time_stamps = object("TSA_ANCHORS", &config.tsa_anchors)?;
        let mut anchors = FurtherAnchors::default();
        for (object, list) in [(&signers, &mut anchors.signers), (&time_stamps, &mut anchors.time_stamps)] {
            if let Some(object) = object {
                *list = object.changed().await?.ok_or_else(|| object.refused("there is no such object"))?;
            }
        }
        let kept = Kept { anchors: Arc::new(anchors), next_look: Instant::now() + MAX_AGE };
        Ok(Self { signers, time_stamps, kept: Mutex::new(kept), looking: tokio::sync::Mutex::default() })
    }

    /// The anchors, at most [`MAX_AGE`] old as long as S3 answers. As long as they are the same, so is the `Arc`.
    pub async fn anchors(&self, now: Instant) -> Arc<FurtherAnchors> {
        let (anchors, is_due) = {
            let kept = self.kept();
            (Arc::clone(&kept.anchors), kept.next_look <= now)
        };
        if !is_due || (self.signers.is_none() && self.time_stamps.is_none()) {
            return anchors;
        }
        let Ok(_turn) = self.looking.try_lock() else { return anchors };
        let signers = look_again(self.signers.as_ref()).await;
        let time_stamps = look_again(self.time_stamps.as_ref()).await;
        let mut kept = self.kept();
        kept.next_look = now + MAX_AGE;
        if signers.is_some() || time_stamps.is_some() {
            kept.anchors = Arc::new(FurtherAnchors {
                signers: signers.unwrap_or_else(|| anchors.signers.clone()),
                time_stamps: time_stamps.unwrap_or_else(|| anchors.time_stamps.clone()),
            });
        }
        Arc::clone(&kept.anchors)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The new anchors in `object`, if there are any that can be used.
async fn look_again(object: Option<&AnchorObject>) -> Option<AnchorList> {
    let object = object?;
    let looked = time::timeout(MAX_LOOK_TIME, object.changed()).await;
    match looked
        .unwrap_or_else(|_| Err(object.refused(&format!("S3 did not answer within {MAX_LOOK_TIME:?}"))))
    {
        Ok(Some(list)) => {
            let (setting, certificates) = (object.setting, list.certificates().len());
            tracing::info!(setting, certificates, "took new trust anchors");
            Some(list)
        }
        Ok(None) => None,
        Err(error) => {
            tracing::error!(%error, "new trust anchors are not taken; the last ones go on");
            None
        }
    }
}

impl AnchorObject {
    fn new(setting: &'static str, place: &Path, s3: &Client) -> Result<Self, AnchorsError> {
        let place = place.to_string_lossy().into_owned();
        let named = place
            .strip_prefix("s3://")
            .and_then(|rest| rest.split_once('/'))
            .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
        let Some((bucket, key)) = named else {
            let reason = "it is not of the form s3://bucket/key".to_owned();
            return Err(AnchorsError { setting, place, reason });
        };
        let (bucket, key) = (Bucket::new(s3.clone(), bucket), key.to_owned());
        Ok(Self { setting, place, bucket, key, etag: Mutex::default() })
    }

    /// What is in the object now; `None` when it is the version that was read last.
    async fn changed(&self) -> Result<Option<AnchorList>, AnchorsError> {
        let known = self.etag.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = self.bucket.look(&self.key, known.as_deref(), MAX_BUNDLE_LENGTH).await;
        let object = match found.map_err(|error| self.refused(&error.to_string()))? {
            Look::Same => return Ok(None),
            Look::Gone => return Err(self.refused("there is no such object")),
            Look::Changed(object) => object,
        };
        self.etag.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&object.etag);
        let list = bundle(object.bytes.to_vec()).map_err(|reason| self.refused(&reason))?;
        Ok(Some(list))
    }

    fn refused(&self, reason: &str) -> AnchorsError {
        AnchorsError { setting: self.setting, place: self.place.clone(), reason: reason.to_owned() }
    }
}
