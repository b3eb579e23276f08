//! Gives proofs every night a time-stamp before their signing certificate expires.

use std::{process::ExitCode, sync::Arc};

use credlink_service::aws::{deployment::Deployment, function};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(restamp())
}

async fn restamp() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let job = Arc::new(deployment.restamping().await?);
    let restamping = deployment.function_of(job)?;
    function::serve(async |event| restamping.handle(event).await).await
}
