//! Removes what proofs owned whose records are gone, as the table's stream reports them.

use std::process::ExitCode;

use credlink_service::aws::{deployment::Deployment, function, reaper};
use lambda_runtime::Error;

fn main() -> ExitCode {
    function::run(reap())
}

async fn reap() -> Result<(), Error> {
    let proofs = Deployment::from_env()?.proofs_in_table()?;
    function::serve(async |event| reaper::reap(event.payload, &proofs).await).await
}
