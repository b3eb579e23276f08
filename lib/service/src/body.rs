//! Reading a request's body: once, into one buffer, within bounds of length, time and memory.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{self, Instant},
};

use crate::{
    error::{ApiError, ErrorCode},
    image_limit::ImageLimit,
};

/// The longest pause between two pieces of a body.
const MAX_PAUSE: Duration = Duration::from_secs(20);

/// The longest time that a whole body may take: 50 MB at 1.4 Mbit/s.
const MAX_TIME: Duration = Duration::from_secs(300);

/// What a form may hold besides the image: text fields, headers and boundaries.
const MAX_FORM_BYTES: usize = 2 << 20;

/// Memory is counted in pieces of this many bytes.
const ACCOUNT_UNIT: usize = 64 << 10;

/// How much memory the bodies of all requests may take together, and the uploads that they name.
#[derive(Clone)]
pub(crate) struct BodyMemory(Arc<Semaphore>);

impl BodyMemory {
    /// At most `bytes`, rounded up.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(ACCOUNT_UNIT).min(Semaphore::MAX_PERMITS))))
    }

    /// Sets room for `bytes` aside, for what is read from elsewhere.
    ///
    /// # Errors
    /// When so much is not free now.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Reservation, ApiError> {
        self.acquire(bytes.div_ceil(ACCOUNT_UNIT)).map(Reservation)
    }

    fn acquire(&self, units: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let units = u32::try_from(units).map_err(ApiError::internal)?;
        Arc::clone(&self.0)
            .try_acquire_many_owned(units)
            .map_err(|_| ApiError::unavailable("Too many uploads are in progress. Try again shortly.", 5))
    }
}

/// Room for bytes that are not there yet.
pub(crate) struct Reservation(OwnedSemaphorePermit);

impl Reservation {
    /// `bytes`, which count as taken until their last slice is dropped. Room that they do not need is free again.
    pub(crate) fn hold(mut self, bytes: Bytes) -> Bytes {
        let spare = self.0.num_permits().saturating_sub(bytes.len().div_ceil(ACCOUNT_UNIT));
        drop(self.0.split(spare));
        Bytes::from_owner(Held { bytes, _room: self.0 })
    }
}

struct Held {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads `body` into one buffer, which counts as taken until its last slice is dropped. The body may be
/// longer than the longest image by what a form needs around it.
pub(crate) async fn read(body: Body, limit: ImageLimit, memory: &BodyMemory) -> Result<Bytes, ApiError> {
    let longest = limit.inline().saturating_add(MAX_FORM_BYTES);
    // What a form needs around the image is not known yet, and must not make it too long for an upload.
    read_at_most(body, longest, memory, |length| limit.exceeded_by(length.saturating_sub(MAX_FORM_BYTES)))
        .await
}

/// Reads a body of at most `limit` bytes, likewise. `too_long` makes the error of a longer one, of its length as far
/// as it is known.
pub(crate) async fn read_at_most(
    mut body: Body,
    limit: usize,
    memory: &BodyMemory,
    too_long: impl FnOnce(usize) -> ApiError,
) -> Result<Bytes, ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(too_long(announced));
    }
    let mut buffer = Buffer { data: Vec::with_capacity(announced), account: None };
    let deadline = Instant::now() + MAX_TIME;
    while let Some(piece) = next_piece(&mut body, deadline).await? {
        let length = buffer.data.len() + piece.len();
        if length > limit {
            return Err(too_long(length));
        }
        buffer.take(&piece, memory)?;
    }
    Ok(Bytes::from_owner(buffer))
}

/// A body in memory, and the part of the common account that it takes.
struct Buffer {
    data: Vec<u8>,
    account: Option<OwnedSemaphorePermit>,
}

impl Buffer {
    fn take(&mut self, piece: &[u8], memory: &BodyMemory) -> Result<(), ApiError> {
        let units = (self.data.len() + piece.len()).div_ceil(ACCOUNT_UNIT);
        let held = self.account.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = memory.acquire(units.saturating_sub(held))?;
        match &mut self.account {
            Some(account) => account.merge(more),
            None => self.account = Some(more),
        }
        self.data.extend_from_slice(piece);
        Ok(())
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

async fn next_piece(body: &mut Body, deadline: Instant) -> Result<Option<Bytes>, ApiError> {
    let pause_ends = Instant::now() + MAX_PAUSE;
    loop {
        let frame = time::timeout_at(deadline.min(pause_ends), body.frame()).await.map_err(|_| {
            ApiError::new(
                ErrorCode::RequestTimeout,
                "The request arrived too slowly. Send it again over a better connection.",
            )
        })?;
        match frame {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a request body broke off");
                return Err(ApiError::new(
                    ErrorCode::InvalidRequest,
                    "The request body ended early or is malformed. Send it again.",
                ));
            }
        }
    }
}
