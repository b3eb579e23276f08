//! A call of AWS, and what its failure means for a rotation: what it is about, what is wrong, and what to do.

use std::error::Error;

use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use credlink_aws::Fault as AwsFault;

use crate::rotation::ports::Fault;

/// A call, by what it is about and what it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// Such as `KMS key arn:…`.
    pub(super) resource: &'a str,
    /// Such as `kms:CreateKey`.
    pub(super) permission: &'a str,
}

impl Call<'_> {
    /// What it means that the call failed with `error`.
    pub(super) fn failed<E>(self, error: &SdkError<E>) -> Fault
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let denied = error.as_service_error().and_then(|answer| answer.code()).is_some_and(is_denial);
        let (reason, passing) = match AwsFault::of(error) {
            AwsFault::Transient(reason) => (reason, true),
            AwsFault::Permanent(reason) => (reason, false),
        };
        let fix = match (denied, passing) {
            (true, _) => format!("allow {} on it, in the role or user that this runs as", self.permission),
            (false, true) => "nothing needs to be done if it passes by itself".to_owned(),
            (false, false) => "check that it is there, in this region and account".to_owned(),
        };
        let permission = self.permission;
        Fault {
            resource: self.resource.to_owned(),
            problem: format!("{permission} failed with {reason}"),
            fix,
            passing,
        }
    }

    /// What it means that the answer lacks `what`.
    pub(super) fn answered_without(self, what: &str) -> Fault {
        Fault {
            resource: self.resource.to_owned(),
            problem: format!("the answer to {} has no {what}", self.permission),
            fix: "check the endpoint".to_owned(),
            passing: false,
        }
    }
}

/// Whether the service answered with one of `codes`.
pub(super) fn has_code<E: ProvideErrorMetadata>(error: &SdkError<E>, codes: &[&str]) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    code.is_some_and(|code| codes.contains(&code))
}

/// Whether the service says that the caller may not do this.
pub(super) fn is_denied<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code).is_some_and(is_denial)
}

/// What the services call it.
fn is_denial(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied" | "AccessDeniedException" | "AuthorizationError" | "AuthorizationErrorException"
    )
}
