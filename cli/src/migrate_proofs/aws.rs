//! The way to stores on AWS, as this person reaches it.

use credlink_aws::SdkConfig;

/// Finds region and credentials as the AWS command line does.
pub(super) async fn config() -> SdkConfig {
    credlink_aws::from_profile().await
}
