//! `credlink jobs run` in this process.

use std::{convert::Infallible, process};

use credlink_service::{
    config::Config,
    jobs::{Order, RunReport, Runner},
    local_jobs,
    metrics::Metrics,
};

use super::{JobsCommandError, RunArgs};
use crate::{background, serve, stop_signal::StopSignals};

/// Runs a job of the data folder, under its lease. A signal asks it to end; a second one ends it at once.
///
/// # Errors
/// When it could not begin.
pub(super) fn run(config: &Config, args: &RunArgs) -> Result<RunReport, JobsCommandError> {
    let runtime = background::threads().map_err(JobsCommandError::Start)?;
    let report = runtime.block_on(async {
        let signals = StopSignals::listen().map_err(JobsCommandError::Start)?;
        let (ports, proofs) = serve::ports_without_uploads(config, &config.lasting_proofs_here()).await?;
        let runner = local_jobs::runner(config, &ports, proofs, Metrics::none());
        let order = Order::by_command(args.dry_run, args.force);
        let outcome = tokio::select! {
            biased;
            outcome = runner.run(args.named.job, &order) => outcome,
            never = obey(signals, &runner) => match never {},
        };
        Ok(RunReport::of(args.named.job, outcome))
    });
    runtime.shutdown_background();
    report
}

/// The first signal asks the run for an orderly end; the second is the end.
async fn obey(mut signals: StopSignals, runner: &Runner) -> Infallible {
    signals.next().await;
    tokio::join!(runner.stop(), async { process::exit(128 + signals.next().await) }).1
}
