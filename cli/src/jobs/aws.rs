//! `credlink jobs --table`: the jobs of an installation on AWS.

use std::{sync::Arc, time::Duration};

use aws_sdk_lambda::{
    config::{Builder, retry::RetryConfig, timeout::TimeoutConfig},
    operation::invoke::InvokeOutput,
    primitives::Blob,
};
use credlink_aws::{Fault, SdkConfig};
use credlink_service::{
    aws::job_store::AwsJobStore,
    jobs::{JobBook, RunReport},
};
use serde_json::{Value, json};

use super::{JobsCommandError, RunArgs, failed};
use crate::environment::small_runtime;

/// The longest that a function runs, and some time for the way.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MAX_CALL_TIME: Duration = Duration::from_secs(15 * 60 + 10);

/// How long connecting may take.
const MAX_CONNECT_TIME: Duration = Duration::from_secs(5);

/// The account, as this person reaches it.
pub(super) struct Account {
    config: SdkConfig,
}

impl Account {
    /// Finds region and credentials as the AWS command line does.
    ///
    /// # Errors
    /// When nothing names a region.
    pub(super) async fn find() -> Result<Self, JobsCommandError> {
        let config = credlink_aws::from_profile().await;
        if config.region().is_none() {
            return Err(JobsCommandError::NoRegion);
        }
        Ok(Self { config })
    }

    /// The states of jobs in `table`.
    pub(super) fn book(&self, table: &str) -> JobBook {
        let dynamo = aws_sdk_dynamodb::Client::new(&self.config);
        JobBook::new(Arc::new(AwsJobStore::new(dynamo, table)))
    }

    /// Calls are made once: a second one would run the job a second time.
    fn lambda(&self) -> aws_sdk_lambda::Client {
        let limits = TimeoutConfig::builder()
            .connect_timeout(MAX_CONNECT_TIME)
            .read_timeout(MAX_CALL_TIME)
            .operation_attempt_timeout(MAX_CALL_TIME)
            .operation_timeout(MAX_CALL_TIME)
            .build();
        let config = Builder::from(&self.config).timeout_config(limits);
        aws_sdk_lambda::Client::from_conf(config.retry_config(RetryConfig::disabled()).build())
    }
}

/// Lets the function of a job run it, and waits for its answer.
///
/// # Errors
/// When the function is not known or cannot be called.
pub(super) fn run(args: &RunArgs, table: &str) -> Result<RunReport, JobsCommandError> {
    let runtime = small_runtime().map_err(JobsCommandError::Start)?;
    runtime.block_on(async {
        let account = Account::find().await?;
        let job = args.named.job;
        let function = match &args.function {
            Some(function) => function.clone(),
            None => {
                account.book(table).state(job).await?.function.ok_or(JobsCommandError::NoFunction(job))?
            }
        };
        let wish = json!({"dryRun": args.dry_run, "force": args.force}).to_string();
        let call = account.lambda().invoke().function_name(&function).payload(Blob::new(wish));
        let answer = call.send().await.map_err(|error| JobsCommandError::Invocation {
            function: function.clone(),
            reason: match Fault::of(&error) {
                Fault::Transient(text) | Fault::Permanent(text) => text,
            },
        })?;
        let told: Value =
            answer.payload().and_then(|told| serde_json::from_slice(told.as_ref()).ok()).unwrap_or_default();
        read(args, &function, &answer, told)
    })
}

/// A function that fails answers with what is wrong.
fn read(
    args: &RunArgs,
    function: &str,
    answer: &InvokeOutput,
    told: Value,
) -> Result<RunReport, JobsCommandError> {
    if answer.function_error().is_some() {
        let reason = told.get("errorMessage").and_then(Value::as_str).unwrap_or("its log says why");
        return Ok(failed(args.named.job, reason.to_owned()));
    }
    serde_json::from_value(told).map_err(|error| JobsCommandError::Invocation {
        function: function.to_owned(),
        reason: format!("its answer is not that of a job ({error}); name another one with --function"),
    })
}
