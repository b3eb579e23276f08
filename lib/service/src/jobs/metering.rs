//! The metrics of runs. Label `job` is the job's name, label `status` one of `success`, `failure` and `skipped`.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use super::{job::JobName, record::RunResult};

const EXECUTIONS: &str = "job_executions_total";
const DURATION: &str = "job_execution_duration_seconds";
const FAILURES: &str = "job_failures_total";
const RETRIES: &str = "job_retries_total";

/// Says what the metrics are.
pub(super) fn describe() {
    describe_counter!(EXECUTIONS, "Runs of jobs, and times at which one was not run.");
    describe_histogram!(DURATION, Unit::Seconds, "How long runs of jobs took, retries included.");
    describe_counter!(FAILURES, "Runs of jobs that failed, after all retries.");
    describe_counter!(RETRIES, "How often a failed job was tried again.");
}

/// A run ended. One whose time was over, and that goes on later, did not fail.
pub(super) fn ran(job: JobName, result: RunResult, took: Duration) {
    let failed = matches!(result, RunResult::Failed | RunResult::Interrupted);
    let status = if failed { "failure" } else { "success" };
    counter!(EXECUTIONS, "job" => job.name(), "status" => status).increment(1);
    histogram!(DURATION, "job" => job.name()).record(took.as_secs_f64());
    if failed {
        counter!(FAILURES, "job" => job.name()).increment(1);
    }
}

/// A job was to run, and did not.
pub(super) fn skipped(job: JobName) {
    counter!(EXECUTIONS, "job" => job.name(), "status" => "skipped").increment(1);
}

/// A run is tried again.
pub(super) fn retried(job: JobName) {
    counter!(RETRIES, "job" => job.name()).increment(1);
}
