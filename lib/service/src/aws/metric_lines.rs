//! The recorder of measurements on AWS Lambda: they are kept until the end of an invocation, and then written to the
//! log in CloudWatch's embedded metric format.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use credlink_pipeline::timestamp::Timestamp;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use serde_json::{Map, Value, json};

use super::metrics::NAMESPACE;

/// The most values of a histogram in one line; the format takes 100.
const MAX_VALUES: usize = 100;

/// Keeps measurements until they are written. Clones share them.
///
/// Counters hold what was counted since the last line; CloudWatch adds up.
#[derive(Clone, Default)]
pub struct MetricLines {
    kept: Arc<Mutex<Measured>>,
}

/// What was measured, by labels and then by name.
type Measured = BTreeMap<Vec<(String, String)>, BTreeMap<String, Kind>>;

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Count(u64),
    Level(f64),
    Values(Vec<f64>),
}

impl MetricLines {
    /// Nothing is measured yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes what was measured since the last time, for the stack `stack`, to standard output, which is a function's log:
    /// one line for each set of labels. They become dimensions, besides `Stack`.
    ///
    /// # Errors
    /// When standard output is gone.
    pub fn flush(&self, stack: &str, now: Timestamp) -> io::Result<()> {
        let mut output = io::stdout().lock();
        self.take_lines(stack, now).into_iter().try_for_each(|line| writeln!(output, "{line}"))
    }

    fn take_lines(&self, stack: &str, now: Timestamp) -> Vec<Value> {
        let measured = mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        measured.into_iter().map(|(labels, values)| line(stack, now, labels, values)).collect()
    }

    fn slot(&self, key: &Key) -> Arc<Slot> {
        let mut labels: Vec<_> =
            key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        labels.sort();
        Arc::new(Slot { lines: self.clone(), labels, name: key.name().to_owned() })
    }
}

fn line(stack: &str, now: Timestamp, labels: Vec<(String, String)>, values: BTreeMap<String, Kind>) -> Value {
    let names: Vec<Value> =
        values.iter().map(|(name, kind)| json!({"Name": name, "Unit": unit(name, kind)})).collect();
    let dimensions: Vec<&str> =
        ["Stack"].into_iter().chain(labels.iter().map(|(name, _)| name.as_str())).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": names});
    let milliseconds = now.as_offset_date_time().unix_timestamp_nanos() / 1_000_000;
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    let mut fields = Map::from_iter([
        ("_aws".to_owned(), json!({"Timestamp": milliseconds, "CloudWatchMetrics": [directive]})),
        ("Stack".to_owned(), stack.into()),
    ]);
    fields.extend(labels.into_iter().map(|(name, value)| (name, value.into())));
    fields.extend(values.into_iter().map(|(name, kind)| {
        let value = match kind {
            Kind::Count(count) => count.into(),
            Kind::Level(level) => level.into(),
            Kind::Values(values) => values.into(),
        };
        (name, value)
    }));
    Value::Object(fields)
}

/// Prometheus' names say what the values are.
fn unit(name: &str, kind: &Kind) -> &'static str {
    match kind {
        Kind::Count(_) => "Count",
        _ if name.ends_with("_seconds") => "Seconds",
        _ if name.ends_with("_bytes") => "Bytes",
        _ => "None",
    }
}

/// Where one metric is kept.
struct Slot {
    lines: MetricLines,
    labels: Vec<(String, String)>,
    name: String,
}

impl Slot {
    fn change(&self, change: impl FnOnce(Option<Kind>) -> Kind) {
        let mut kept = self.lines.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let values = kept.entry(self.labels.clone()).or_default();
        let changed = change(values.remove(&self.name));
        values.insert(self.name.clone(), changed);
    }

    fn shift(&self, by: f64) {
        self.change(|kind| Kind::Level(if let Some(Kind::Level(level)) = kind { level + by } else { by }));
    }
}

impl CounterFn for Slot {
    fn increment(&self, value: u64) {
        self.change(|kind| {
            let before = if let Some(Kind::Count(count)) = kind { count } else { 0 };
            Kind::Count(before.saturating_add(value))
        });
    }

    fn absolute(&self, value: u64) {
        self.change(|_| Kind::Count(value));
    }
}

impl GaugeFn for Slot {
    fn increment(&self, value: f64) {
        self.shift(value);
    }

    fn decrement(&self, value: f64) {
        self.shift(-value);
    }

    fn set(&self, value: f64) {
        self.change(|_| Kind::Level(value));
    }
}

impl HistogramFn for Slot {
    /// Values beyond the most that a line takes are left out; no invocation has as many.
    fn record(&self, value: f64) {
        self.change(|kind| {
            let mut values = if let Some(Kind::Values(values)) = kind { values } else { Vec::new() };
            if values.len() < MAX_VALUES {
                values.push(value);
            }
            Kind::Values(values)
        });
    }
}

impl Recorder for MetricLines {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.slot(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.slot(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.slot(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn each_set_of_labels_is_a_line_with_its_dimensions() {
        let lines = MetricLines::new();
        Metrics::new(Arc::new(lines.clone())).within(|| {
            metrics::counter!("job_executions_total", "status" => "success", "job" => "proof-cleanup")
                .increment(1);
            metrics::counter!("job_executions_total", "job" => "proof-cleanup", "status" => "success")
                .increment(1);
            metrics::histogram!("job_execution_duration_seconds", "job" => "proof-cleanup").record(1.5);
            metrics::gauge!("proofs_stored").set(12.0);
        });
        let now = Timestamp::parse("2026-01-31T08:15:30.250Z").unwrap();
        let written = lines.take_lines("credlink", now);
        assert_eq!(written.len(), 3);
        assert_eq!(written[0]["proofs_stored"], 12.0);
        assert_eq!(written[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Stack"]]));
        assert_eq!(written[1]["job_execution_duration_seconds"], json!([1.5]));
        assert_eq!(written[1]["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"], "Seconds");
        assert_eq!(written[2]["job_executions_total"], 2);
        assert_eq!((&written[2]["job"], &written[2]["Stack"]), (&"proof-cleanup".into(), &"credlink".into()));
        let dimensions = &written[2]["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(dimensions, &json!([["Stack", "job", "status"]]));
        assert!(lines.take_lines("credlink", now).is_empty(), "written once");
    }
}
