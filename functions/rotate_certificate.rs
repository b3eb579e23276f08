//! Looks every day after the certificate of the active signer, and replaces key and certificate in time.

use std::process::ExitCode;

use credlink_pipeline::timestamp::Clock as _;
use credlink_service::{
    aws::{certificate_watch, deployment::Deployment, function, metrics, rotation},
    clock::SystemClock,
};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(rotate())
}

async fn rotate() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let (rotating, stack) = (deployment.rotation()?, deployment.stack()?);
    let identity = deployment.known_identity().await?;
    function::serve(async |event| {
        let outcome = rotating.run(rotation::trigger(&event.payload), event.context.deadline()).await;
        let now = SystemClock.now();
        let mut measured = rotation::metrics(&outcome);
        measured.extend(certificate_watch::look(&identity, now).await);
        metrics::emit(&stack, now, &measured)?;
        Ok::<_, Error>(outcome?)
    })
    .await
}
