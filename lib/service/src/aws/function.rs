//! The life of a Lambda function: one start, then one event after the other.

use std::{pin::Pin, process::ExitCode};

use lambda_runtime::{Diagnostic, Error, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Builder;

/// Runs a function until Lambda ends it. When it cannot start, the log says why in one line, and Lambda reports a
/// failed init phase.
pub fn run(function: impl Future<Output = Result<(), Error>>) -> ExitCode {
    // One thread for what waits is enough for one event at a time; images are worked on by threads of their own.
    let outcome = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(function),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the function cannot run");
            ExitCode::FAILURE
        }
    }
}

/// Answers events with `handle` until Lambda ends the process. What `handle` answers with `Err` counts as a failed
/// invocation, which AWS tries again where the event's source says so.
///
/// # Errors
/// When the runtime interface fails.
pub async fn serve<A, E>(handle: impl AsyncFn(LambdaEvent<Value>) -> Result<A, E>) -> Result<(), Error>
where
    A: Serialize,
    E: ToString,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        // Boxed and without its type: calls of AWS inside of each other are too deep for the compiler otherwise.
        let handled: Pin<Box<dyn Future<Output = Result<A, E>> + '_>> = Box::pin(handle(event));
        handled.await.map_err(|error: E| Diagnostic {
            error_type: "CredLink".to_owned(),
            error_message: error.to_string(),
        })
    }))
    .await
}
