//! Signs what is put into the inbox bucket into the outbox bucket.

use std::process::ExitCode;

use credlink_service::aws::{deployment::Deployment, function};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(sign_arrivals())
}

async fn sign_arrivals() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let service = deployment.service(deployment.signing_identity().await?, None).await?;
    let auto_sign = deployment.auto_sign(service)?;
    function::serve(async |event| auto_sign.handle(event.payload).await).await
}
