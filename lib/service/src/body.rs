//! Reading a request's body: once, into one buffer, within bounds of length, time and memory.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{self, Instant},
};

use crate::error::{ApiError, ErrorCode};

/// The longest pause between two pieces of a body.
const MAX_PAUSE: Duration = Duration::from_secs(20);

/// The longest time that a whole body may take: 50 MB at 1.4 Mbit/s.
const MAX_TIME: Duration = Duration::from_secs(300);

/// What a form may hold besides the image: text fields, headers and boundaries.
const MAX_FORM_BYTES: usize = 2 << 20;

/// Memory is counted in pieces of this many bytes.
const ACCOUNT_UNIT: usize = 64 << 10;

/// How much memory the bodies of all requests may take together.
#[derive(Clone)]
pub(crate) struct BodyMemory(Arc<Semaphore>);

impl BodyMemory {
    /// At most `bytes`, rounded up.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(ACCOUNT_UNIT).min(Semaphore::MAX_PERMITS))))
    }
}

/// Reads `body` into one buffer, which counts as taken until its last slice is dropped. The body may be
/// longer than the longest image by what a form needs around it.
pub(crate) async fn read(
    mut body: Body,
    max_image_bytes: usize,
    memory: &BodyMemory,
) -> Result<Bytes, ApiError> {
    let limit = max_image_bytes.saturating_add(MAX_FORM_BYTES);
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(file_too_large(max_image_bytes));
    }
    let mut buffer = Buffer { data: Vec::with_capacity(announced), account: None };
    let deadline = Instant::now() + MAX_TIME;
    while let Some(piece) = next_piece(&mut body, deadline).await? {
        if buffer.data.len() + piece.len() > limit {
            return Err(file_too_large(max_image_bytes));
        }
        buffer.take(&piece, memory)?;
    }
    Ok(Bytes::from_owner(buffer))
}

/// The failure of an image that is longer than `max_image_bytes`.
pub(crate) fn file_too_large(max_image_bytes: usize) -> ApiError {
    ApiError::new(
        ErrorCode::FileTooLarge,
        format!("The image is longer than {} MB. Send a smaller one.", max_image_bytes >> 20),
    )
    .with_detail("limitBytes", max_image_bytes)
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
        let missing = u32::try_from(units.saturating_sub(held)).map_err(ApiError::internal)?;
        let more = Arc::clone(&memory.0)
            .try_acquire_many_owned(missing)
            .map_err(|_| ApiError::unavailable("Too many uploads are in progress. Try again shortly.", 5))?;
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
