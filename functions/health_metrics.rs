//! Measures the state of the deployment, every few minutes.

use std::process::ExitCode;

use credlink_pipeline::timestamp::Clock as _;
use credlink_service::{
    aws::{deployment::Deployment, function, metrics},
    clock::SystemClock,
};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(measure())
}

async fn measure() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let (health, stack) = (deployment.health_metrics().await?, deployment.stack()?);
    function::serve(async |_schedule| {
        let now = SystemClock.now();
        metrics::emit(&stack, now, &health.measure(now).await)
    })
    .await
}
