//! What the bucket holds, as far as the sweep must know.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use credlink_pipeline::proof::ProofStoreError;

use super::super::{blobs::Blobs, bucket::MAX_LISTED_AT_ONCE};

/// How many objects a listing holds, about, in 8 MB.
const MAX_LISTED: usize = 500_000;

/// How many calls one page of the sweep lists with.
const CALLS_AT_ONCE: usize = 20;

/// From when on a listing is too old to go on with.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// The listing that the last page of a sweep left for the next one. A process that begins in the middle has none, and
/// lists that part of the bucket once more.
#[derive(Clone, Debug)]
pub(in super::super) struct Listings {
    last: Arc<Mutex<Option<Listing>>>,
    /// How many objects one listing holds, about.
    pub(in super::super) longest: usize,
}

/// A part of the bucket: the objects behind `from`, up to and with `to`.
#[derive(Debug)]
pub(super) struct Listing {
    from: Option<String>,
    /// None when it goes up to the end, or as far as it is not listed yet.
    to: Option<String>,
    is_whole: bool,
    begun: Instant,
    /// The last object that was listed.
    last: Option<String>,
    /// Digests of names, and how long the objects are; sorted when it is whole.
    objects: Vec<(u64, u64)>,
}

impl Default for Listings {
    fn default() -> Self {
        Self { last: Arc::default(), longest: MAX_LISTED }
    }
}

impl Listings {
    /// Takes the listing behind `from`, or begins one.
    pub(super) fn take(&self, from: Option<&str>) -> Listing {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let fits = |listing: &Listing| listing.from.as_deref() == from && listing.begun.elapsed() < MAX_AGE;
        last.filter(fits).unwrap_or_else(|| Listing::begin(from.map(str::to_owned)))
    }

    /// Leaves it for the next page.
    pub(super) fn keep(&self, listing: Listing) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(listing);
    }
}

impl Listing {
    fn begin(from: Option<String>) -> Self {
        let last = from.clone();
        Self { from, to: None, is_whole: false, begun: Instant::now(), last, objects: Vec::new() }
    }

    /// Lists on, with some calls at most, until there are `longest` objects; whether it is whole now.
    pub(super) async fn go_on(&mut self, blobs: &Blobs, longest: usize) -> Result<bool, ProofStoreError> {
        for _ in 0..CALLS_AT_ONCE {
            if self.is_whole {
                break;
            }
            let page = blobs.list(self.last.as_deref(), longest.min(MAX_LISTED_AT_ONCE)).await?;
            self.objects.extend(page.iter().map(|object| (digest(&object.key), object.length)));
            match page.into_iter().next_back() {
                None => self.finish(None),
                Some(object) => {
                    self.last = Some(object.key.clone());
                    if self.objects.len() >= longest {
                        self.finish(Some(object.key));
                    }
                }
            }
        }
        Ok(self.is_whole)
    }

    /// Where the next listing begins; `None` when there is none.
    pub(super) fn end(&self) -> Option<&str> {
        self.to.as_deref()
    }

    /// Whether it begins with the first object.
    pub(super) fn is_first(&self) -> bool {
        self.from.is_none()
    }

    /// Whether an object of this name stands, or would stand, in this part of the bucket. S3 sorts names by their bytes,
    /// as Rust does.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>
    pub(super) fn covers(&self, key: &str) -> bool {
        self.from.as_deref().is_none_or(|from| from < key) && self.to.as_deref().is_none_or(|to| key <= to)
    }

    /// The length of the object, in bytes; `None` when it was not listed.
    pub(super) fn length_of(&self, key: &str) -> Option<u64> {
        let at = self.objects.binary_search_by_key(&digest(key), |(digest, _)| *digest).ok()?;
        self.objects.get(at).map(|(_, length)| *length)
    }

    fn finish(&mut self, to: Option<String>) {
        self.to = to;
        self.is_whole = true;
        self.objects.sort_unstable();
    }
}

/// Of half a million names two are the same once in a hundred million sweeps.
fn digest(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
