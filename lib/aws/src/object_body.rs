//! Reading objects of S3 into memory.

use aws_sdk_s3::primitives::ByteStream;
use thiserror::Error;

/// Why an object is not in memory.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// It is longer than what is taken; the rest was not read.
    #[error("the object is longer than {limit} bytes")]
    TooLong {
        /// The greatest length in bytes.
        limit: usize,
    },
    /// The connection broke.
    #[error("S3 broke off: {0}")]
    BrokenOff(String),
}

/// The whole body of an object, of at most `limit` bytes. `expected` bytes are set aside from the start. The client's
/// limits of time end where an answer begins: the caller limits the time of this.
///
/// # Errors
/// [`BodyError`].
pub async fn whole_body(mut body: ByteStream, expected: usize, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut data = Vec::with_capacity(expected.min(limit));
    while let Some(piece) = body.try_next().await.map_err(|error| BodyError::BrokenOff(error.to_string()))? {
        if data.len() + piece.len() > limit {
            return Err(BodyError::TooLong { limit });
        }
        data.extend_from_slice(&piece);
    }
    Ok(data)
}
