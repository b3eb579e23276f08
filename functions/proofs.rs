//! `GET /proofs/{id}`, the pages and `GET /health`; and what answers on addresses where there is nothing.

use std::process::ExitCode;

use credlink_service::{
    aws::{deployment::Deployment, function, http},
    router,
};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(show())
}

async fn show() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let service = deployment.showing_service().await?;
    http::serve(router::showing(service), deployment.measured()?).await
}
