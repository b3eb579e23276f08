//! Removes every night what is past its time and nobody removed.

use std::process::ExitCode;

use credlink_pipeline::timestamp::Clock as _;
use credlink_service::{
    aws::{cleanup, deployment::Deployment, function, metrics},
    clock::SystemClock,
};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(clean_up())
}

async fn clean_up() -> Result<(), Error> {
    let deployment = Deployment::from_env()?;
    let (cleanup, stack) = (deployment.cleanup()?, deployment.stack()?);
    function::serve(async |event| {
        let now = SystemClock.now();
        let counts = cleanup::clean_up(&cleanup, now, event.context.deadline()).await?;
        metrics::emit(&stack, now, &cleanup::metrics(&counts))?;
        Ok::<(), Error>(())
    })
    .await
}
