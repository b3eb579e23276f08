//! `POST /verify`.

use std::process::ExitCode;

use credlink_service::{
    aws::{deployment::Deployment, function, http},
    router,
};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(verify())
}

async fn verify() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let service = deployment.service(deployment.known_identity().await?, Some(deployment.uploads()?)).await?;
    http::serve(router::verifying(service), deployment.measured()?).await
}
