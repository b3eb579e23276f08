//! What failed calls of AWS mean to a proof store.

use std::error::Error;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use credlink_aws::Fault;
use credlink_pipeline::proof::ProofStoreError;

/// The error for a call that was to do `what`. The SDK has tried it again already where that can help.
pub(super) fn unavailable<E>(what: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> ProofStoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| {
        ProofStoreError::Unavailable(match Fault::of(&error) {
            Fault::Transient(reason) => format!("cannot {what} now: {reason}"),
            Fault::Permanent(reason) => format!(
                "cannot {what}: {reason}; check the table, the bucket and what the role may do with them"
            ),
        })
    }
}
