//! Looks every day how long the certificate of the active signer is still valid.

use std::process::ExitCode;

use credlink_pipeline::timestamp::Clock as _;
use credlink_service::{
    aws::{certificate_watch, deployment::Deployment, function, metrics},
    clock::SystemClock,
};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(watch())
}

async fn watch() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let (identity, stack) = (deployment.known_identity().await?, deployment.stack()?);
    function::serve(async |_schedule| {
        let now = SystemClock.now();
        metrics::emit(&stack, now, &certificate_watch::look(&identity, now).await)
    })
    .await
}
