//! Measures the state of the deployment, every few minutes.

use std::{process::ExitCode, sync::Arc};

use credlink_service::aws::{deployment::Deployment, function, health_metrics};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(measure())
}

async fn measure() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let job = Arc::new(deployment.health_metrics().await?);
    let measuring = deployment.function_of(job)?.counting(health_metrics::metrics);
    function::serve(async |event| measuring.handle(event).await).await
}
