//! A call to the outside, which has to come to an end.

use std::{future::Future, time::Duration};

use tokio::time;

use super::ports::Fault;

/// How long one call may take. A key of 4096 bits and an authority that is polled take seconds; after this, the call is
/// as good as lost, and is repeated by the next run.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(120);

/// What `call` answers, if it does in time.
pub(super) async fn limited<T, E: From<Fault>>(
    resource: &str,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match time::timeout(CALL_LIMIT, call).await {
        Ok(answer) => answer,
        Err(_) => {
            let problem = format!("no answer within {} seconds", CALL_LIMIT.as_secs());
            Err(Fault::passing(
                resource,
                problem,
                "it is tried again by the next run; if it lasts, look there",
            )
            .into())
        }
    }
}
