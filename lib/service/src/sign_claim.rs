//! `Idempotency-Key` on `POST /sign`: a request that comes again gets the proof that it got before.

use axum::{
    extract::Request,
    http::{HeaderValue, header},
};
use credlink_pipeline::{digest::Sha256Hash, proof::ProofId};

use crate::{
    error::{ApiError, ErrorCode},
    idempotency::{Claim, Entry, IdempotencyError, IdempotencyKey},
    middleware::api_keys::KnownCaller,
    service::Service,
};

const KEY_HEADER: &str = "idempotency-key";

/// Seconds after which a caller may try again whose request is being worked on.
const RETRY_AFTER_SECONDS: u16 = 2;

/// What is added to the time that an image may take, until somebody else may go on with it.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// The key of a request; `None` when it has none. Callers with an API key have their keys to themselves. All others
/// share theirs, because an address is no identity: who moves to another network must get the same answer. Random
/// keys do not meet.
///
/// # Errors
/// When what is there is no key.
pub(crate) fn key_of(request: &Request) -> Result<Option<IdempotencyKey>, ApiError> {
    let mut sent = request.headers().get_all(KEY_HEADER).into_iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let caller = request.extensions().get::<KnownCaller>();
    let caller = caller.map_or_else(String::new, |KnownCaller(id)| id.to_string());
    match (IdempotencyKey::new(&caller, value.as_bytes()), sent.next()) {
        (Ok(key), None) => Ok(Some(key)),
        _ => Err(ApiError::new(
            ErrorCode::InvalidRequest,
            "The Idempotency-Key is not 1 to 255 visible ASCII characters, or is there twice. Send one, such as a \
             random UUID.",
        )
        .with_detail("header", "Idempotency-Key")),
    }
}

/// The right to sign under a key, or the proof that was made under it.
pub(crate) struct SignClaim {
    key: IdempotencyKey,
    proof: ProofId,
    /// `None` when everything was done before.
    held: Option<Entry>,
}

impl SignClaim {
    /// Claims `key` for the request with this digest.
    ///
    /// # Errors
    /// When the key stands for another request, when somebody works on this one, or when nobody knows.
    pub(crate) async fn take(
        service: &Service,
        key: IdempotencyKey,
        request: Sha256Hash,
    ) -> Result<Self, ApiError> {
        let now = service.ports.clock.now();
        let wanted = Entry::new(request, now, service.settings.processing_timeout + GRACE);
        let claim = service.ports.entrance.idempotency.claim(key, &wanted, now).await;
        match claim.map_err(|error| unknown(&error))? {
            Claim::Granted(entry) => Ok(Self { key, proof: entry.proof, held: Some(entry) }),
            Claim::Done(proof) => Ok(Self { key, proof, held: None }),
            Claim::Busy(_) => Err(ApiError::new(
                ErrorCode::IdempotencyConflict,
                "The request with this Idempotency-Key is still being worked on. Try again after the seconds in \
                 Retry-After.",
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))),
            Claim::OtherRequest => Err(ApiError::new(
                ErrorCode::IdempotencyConflict,
                "This Idempotency-Key was used for another image or other fields. Send a new key with a new request.",
            )),
        }
    }

    /// The id to sign under.
    pub(crate) fn proof(&self) -> ProofId {
        self.proof
    }

    /// Says how it ended. When that cannot be kept, the next one with the key waits a little longer.
    pub(crate) async fn settle(self, service: &Service, failure: Option<&ApiError>) {
        let Some(entry) = self.held else { return };
        let store = &service.ports.entrance.idempotency;
        let settled = match failure.map(ApiError::code) {
            None => store.update(self.key, &Entry { held_until: None, ..entry }).await,
            // The work runs on, and may still end well.
            Some(ErrorCode::Timeout) => return,
            // There is no proof, and a corrected request may come under the same key.
            Some(code) if code.status().is_client_error() => store.release(self.key, &entry).await,
            // Perhaps there is a proof after all: whoever comes next must go on under the same id.
            Some(_) => {
                let now = service.ports.clock.now();
                store.update(self.key, &Entry { held_until: Some(now), ..entry }).await
            }
        };
        if let Err(error) = settled {
            tracing::warn!(%error, "it was not kept how a request with an idempotency key ended");
        }
    }
}

fn unknown(error: &IdempotencyError) -> ApiError {
    tracing::warn!(%error, "idempotency keys are not available");
    ApiError::unavailable("Idempotency keys cannot be checked now. Try again shortly.", 5)
}
