//! How clients of AWS find their region, their credentials and their endpoint, and for how long they try.

use std::{env, time::Duration};

use aws_config::{BehaviorVersion, environment::EnvironmentVariableCredentialsProvider};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::{SdkConfig, region::Region};
use thiserror::Error;

/// How long one call may take, with all its retries. Signing makes three calls one after the other (key, manifest
/// store, record), and API Gateway waits 29 seconds for an answer.
pub const MAX_CALL_TIME: Duration = Duration::from_secs(8);

/// How long one attempt may take until its answer begins.
const MAX_ATTEMPT_TIME: Duration = Duration::from_secs(5);

/// How long one attempt may take to connect, TLS included.
const MAX_CONNECT_TIME: Duration = Duration::from_secs(2);

/// Attempts of one call, the first included. Between two of them lies a random time, at most 0.1 s, 0.2 s, 0.4 s.
const MAX_ATTEMPTS: u32 = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// The environment does not say how to reach AWS.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigurationError {
    /// A variable is missing that the Lambda runtime sets.
    #[error("{0} is not set; the Lambda runtime sets it")]
    Missing(&'static str),
}

/// The configuration inside of a Lambda function: region and credentials stand in the environment, and nothing
/// else is asked for them, which keeps clients of other services out of the binary. `AWS_ENDPOINT_URL` may name an
/// endpoint for all services.
///
/// # Errors
/// When the environment has no region.
pub fn on_lambda() -> Result<SdkConfig, ConfigurationError> {
    let region = env::var("AWS_REGION").map_err(|_| ConfigurationError::Missing("AWS_REGION"))?;
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    let endpoint = env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty());
    Ok(explicit(region, credentials, endpoint))
}

/// The configuration with these values; without an endpoint, those of AWS in `region`.
pub fn explicit(
    region: String,
    credentials: SharedCredentialsProvider,
    endpoint: Option<String>,
) -> SdkConfig {
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .http_client(http_client())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(retries())
        .timeout_config(timeouts());
    config.set_endpoint_url(endpoint);
    config.build()
}

/// The configuration on a person's machine: the same sources, in the same order, as the AWS command line takes
/// (environment, profiles, single sign-on with the feature `sso`, the instance's role).
pub async fn from_profile() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .retry_config(retries())
        .timeout_config(timeouts())
        .load()
        .await
}

/// One pool of connections for all clients, so that trusted roots are read once.
fn http_client() -> SharedHttpClient {
    Builder::new().tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc)).build_https()
}

/// Throttling and faults of the other side are tried again, with a random pause that grows; what the caller did
/// wrong is not.
fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(MAX_ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(MAX_BACKOFF)
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(MAX_CONNECT_TIME)
        .operation_attempt_timeout(MAX_ATTEMPT_TIME)
        .operation_timeout(MAX_CALL_TIME)
        .build()
}
