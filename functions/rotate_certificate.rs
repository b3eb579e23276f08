//! Looks every day after the certificate of the active signer, and replaces key and certificate in time.

use std::{process::ExitCode, sync::Arc};

use credlink_service::aws::{deployment::Deployment, function, rotation};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(rotate())
}

async fn rotate() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let rotation = deployment.rotation()?;
    let rotating = deployment.function_of(Arc::new(rotation.job()))?.counting(rotation::metrics);
    function::serve(async |event| {
        rotation.write_settings().await;
        rotating.handle(event).await
    })
    .await
}
