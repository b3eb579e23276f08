//! Metrics that CloudWatch reads from the log (embedded metric format).
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io::{self, Write};

use credlink_pipeline::timestamp::Timestamp;
use serde_json::{Map, Value, json};

/// Under what all metrics of the service stand.
pub(super) const NAMESPACE: &str = "CredLink";

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// The metric's name.
    pub name: &'static str,
    /// CloudWatch's name of the unit, for example `Count`.
    pub unit: &'static str,
    /// The value.
    pub value: f64,
}

impl Metric {
    /// A number of things.
    pub fn count(name: &'static str, value: f64) -> Self {
        Self { name, unit: "Count", value }
    }
}

/// Writes `metrics` of the stack `stack` as one line to standard output, which is a function's log.
///
/// # Errors
/// When standard output is gone.
pub fn emit(stack: &str, now: Timestamp, metrics: &[Metric]) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{}", line(stack, now, metrics))
}

fn line(stack: &str, now: Timestamp, metrics: &[Metric]) -> Value {
    let names: Vec<Value> = metrics.iter().map(|m| json!({"Name": m.name, "Unit": m.unit})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [["Stack"]], "Metrics": names});
    let milliseconds = now.as_offset_date_time().unix_timestamp_nanos() / 1_000_000;
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    let mut fields = Map::from_iter([
        ("_aws".to_owned(), json!({"Timestamp": milliseconds, "CloudWatchMetrics": [directive]})),
        ("Stack".to_owned(), stack.into()),
    ]);
    fields.extend(metrics.iter().map(|metric| (metric.name.to_owned(), metric.value.into())));
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_metrics_and_their_values() {
        let now = Timestamp::parse("2026-01-31T08:15:30.250Z").unwrap();
        let metrics = [Metric::count("DaysToCertificateExpiry", 29.5), Metric::count("FailuresWaiting", 0.0)];
        let line = line("credlink", now, &metrics);
        assert_eq!(line["_aws"]["Timestamp"], 1_769_847_330_250_i64);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Metrics"][0]["Name"], "DaysToCertificateExpiry");
        assert_eq!(directive["Dimensions"], json!([["Stack"]]));
        assert_eq!(line["Stack"], "credlink");
        assert_eq!(line["DaysToCertificateExpiry"], 29.5);
    }
}
