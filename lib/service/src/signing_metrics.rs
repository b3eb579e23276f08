//! What is measured of signing.

use std::time::Instant;

use credlink_pipeline::asset::Format;

use crate::service::Service;

/// Notes that `image` was signed or not, from `since` until now.
pub(crate) fn note(service: &Service, image: &[u8], success: bool, since: Instant) {
    let format = match Format::detect(image) {
        Some(Format::Jpeg) => "jpeg",
        Some(Format::Png) => "png",
        Some(Format::WebP) => "webp",
        None => "unknown",
    };
    let entrance = &service.ports.entrance;
    entrance.metrics.within(|| {
        let outcome = if success { "true" } else { "false" };
        metrics::counter!("image_signing_total", "format" => format, "success" => outcome).increment(1);
        metrics::histogram!("image_signing_duration_seconds", "format" => format)
            .record(since.elapsed().as_secs_f64());
        // Below 2^53, as every image is, nothing is lost.
        metrics::histogram!("image_signing_size_bytes", "format" => format).record(image.len() as f64);
        if success {
            metrics::counter!("proof_storage_total", "storage_type" => entrance.proof_storage).increment(1);
        }
    });
}
