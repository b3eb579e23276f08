//! What failed calls of AWS mean to a proof store.

use std::error::Error;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use credlink_aws::Fault;
use credlink_pipeline::proof::ProofStoreError;

/// The error for a call that was to do `what` with the table. The SDK has tried it again already where that can help.
pub(super) fn unavailable<E>(what: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> ProofStoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| told(what, &error, "check the table, the bucket and what the role may do with them")
}

/// The error for a call that was to do `what` with the bucket.
pub(crate) fn bucket_unavailable<E>(what: String) -> impl Fn(SdkError<E, HttpResponse>) -> ProofStoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| told(&what, &error, "check the name of the bucket and what the role may do with it")
}

fn told<E>(what: &str, error: &SdkError<E, HttpResponse>, advice: &str) -> ProofStoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    ProofStoreError::Unavailable(match Fault::of(error) {
        Fault::Transient(reason) => format!("cannot {what} now: {reason}"),
        Fault::Permanent(reason) => format!("cannot {what}: {reason}; {advice}"),
    })
}
