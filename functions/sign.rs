//! `POST /sign` and `POST /uploads`.

use std::process::ExitCode;

use credlink_service::{
    aws::{deployment::Deployment, function, http},
    router,
};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(sign())
}

async fn sign() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let service =
        deployment.service(deployment.signing_identity().await?, Some(deployment.uploads()?)).await?;
    http::serve(router::signing(service), deployment.measured()?).await
}
