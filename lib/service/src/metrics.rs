//! Where measurements go. They are made with the macros of the crate `metrics`, inside of [`Metrics::within`]: there is
//! no recorder for the whole process, so that several services may live in one.

use std::sync::Arc;

use metrics::{NoopRecorder, Recorder};
pub use metrics_exporter_prometheus::BuildError;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

/// The bounds of histograms of durations, in seconds: from an image to the longest job.
const SECONDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 300.0, 600.0];

/// A recorder of measurements. Clones share it.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<dyn Recorder + Send + Sync>,
}

impl Metrics {
    /// Measurements go to `recorder`.
    pub fn new(recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        Self { recorder }
    }

    /// Measurements go nowhere.
    pub fn none() -> Self {
        Self::new(Arc::new(NoopRecorder))
    }

    /// Does `measure`, whose measurements go to this recorder. It must not wait for anything.
    pub fn within<T>(&self, measure: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&*self.recorder, measure)
    }
}

/// Measurements that are kept in memory, for whoever asks in the form of Prometheus.
#[derive(Clone)]
pub struct PrometheusMetrics {
    metrics: Metrics,
    handle: PrometheusHandle,
}

impl PrometheusMetrics {
    /// Nothing is measured yet.
    ///
    /// # Errors
    /// When the bounds of histograms cannot be used, which is a fault of the program.
    pub fn new() -> Result<Self, BuildError> {
        let recorder: PrometheusRecorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .build_recorder();
        let handle = recorder.handle();
        Ok(Self { metrics: Metrics::new(Arc::new(recorder)), handle })
    }

    /// Where to measure.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What was measured, as text of version 0.0.4.
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/>
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Sums up what came in, so that memory does not grow while nobody asks. To be called every few seconds.
    pub fn sum_up(&self) {
        self.handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_services_in_one_process_measure_apart() {
        let (one, two) = (PrometheusMetrics::new().unwrap(), PrometheusMetrics::new().unwrap());
        one.metrics().within(|| metrics::counter!("things_total", "kind" => "odd").increment(3));
        one.metrics().within(|| metrics::histogram!("wait_seconds").record(0.3));
        let text = one.render();
        assert!(text.contains("things_total{kind=\"odd\"} 3\n"), "{text}");
        assert!(text.contains("wait_seconds_bucket{le=\"0.5\"} 1\n"), "{text}");
        assert_eq!(two.render(), "");
        Metrics::none().within(|| metrics::counter!("things_total").increment(1));
    }
}
