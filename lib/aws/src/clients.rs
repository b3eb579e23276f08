//! Clients that need more than the shared configuration.

use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_types::SdkConfig;

/// A client of S3. Behind an endpoint of its own, buckets stand in the path, because their names are no hosts there.
///
/// Checksums are sent where a caller asks for them: the SDK's own would stand in presigned URLs too, computed over
/// nothing. TLS protects the rest.
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = Builder::from(config)
        .force_path_style(config.endpoint_url().is_some())
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
