//! Removes every night what is past its time and nobody removed.

use std::{process::ExitCode, sync::Arc};

use credlink_service::aws::{cleanup, deployment::Deployment, function};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(clean_up())
}

async fn clean_up() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let job = Arc::new(deployment.cleanup().await?);
    let cleanup = deployment.function_of(job)?.counting(cleanup::metrics);
    function::serve(async |event| cleanup.handle(event).await).await
}
