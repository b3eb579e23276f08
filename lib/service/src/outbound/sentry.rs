//! Reports of the service's own faults, to Sentry or whoever speaks its protocol: one POST of an envelope for each.
//! <https://develop.sentry.dev/sdk/foundations/envelopes/>
//!
//! A client library of Sentry would add megabytes to functions that may have few, and collects what it finds. Here an
//! event is written field by field, so that nothing is in it that was not put there.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use credlink_pipeline::timestamp::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::Semaphore;
use url::Url;
use uuid::Uuid;

use super::{
    client::{Client, Limits, Question},
    network::SystemNetwork,
    reach::PrivateHosts,
    scrubbed::scrubbed,
    target::{Refusal, Target},
};

/// How long one report may take, and the longest answer, in bytes.
const MAX_TIME: Duration = Duration::from_secs(2);
const MAX_ANSWER_LENGTH: usize = 16 << 10;

/// Reports that may be under way at once; others are dropped. Where everything fails, the first ones say enough.
const MAX_AT_ONCE: usize = 8;

/// Where Sentry takes a project's events, as Sentry writes it: `https://<key>@<host>/<project>`.
#[derive(Clone, PartialEq, Eq)]
pub struct SentryDsn {
    /// With the key, which is no secret to Sentry but none of the log's business.
    envelopes: String,
    target: Target,
}

/// Not a DSN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SentryDsnError {
    /// It has another form.
    #[error("this is no DSN; Sentry shows it as https://<key>@<host>/<project>")]
    Form,
    /// Its host is none.
    #[error("{0}; Sentry shows a DSN as https://<key>@<host>/<project>")]
    Host(#[from] Refusal),
}

impl FromStr for SentryDsn {
    type Err = SentryDsnError;

    fn from_str(text: &str) -> Result<Self, SentryDsnError> {
        let url = Url::parse(text).map_err(|_| SentryDsnError::Form)?;
        let (path, project) = url.path().rsplit_once('/').ok_or(SentryDsnError::Form)?;
        let (key, host) = (url.username(), url.host_str().ok_or(SentryDsnError::Form)?);
        let named = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !named(key) || !named(project) || url.query().is_some() {
            return Err(SentryDsnError::Form);
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let client = concat!("credlink/", env!("CARGO_PKG_VERSION"));
        let envelopes = format!(
            "{}://{host}{port}{path}/api/{project}/envelope/?sentry_version=7&sentry_key={key}&sentry_client={client}",
            url.scheme()
        );
        Ok(Self { target: envelopes.parse()?, envelopes })
    }
}

/// Without the key.
impl fmt::Debug for SentryDsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.envelopes.split('?').next().unwrap_or_default())
    }
}

/// One fault of the service.
#[derive(Clone, Debug)]
pub(crate) struct FaultReport {
    /// The name of the failure, such as `SIGNING_FAILED`.
    pub(crate) code: &'static str,
    /// What the log says of it.
    pub(crate) cause: String,
    /// The request's method and route, such as `POST /sign`.
    pub(crate) transaction: String,
    pub(crate) status: u16,
    pub(crate) request_id: String,
    pub(crate) at: Timestamp,
}

/// Whether the answer waits for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It does not.
    Behind,
    /// It does, because Lambda stops the process once there is an answer.
    Before,
}

/// Sends reports.
#[derive(Clone)]
pub struct FaultReports {
    client: Arc<Client>,
    dsn: SentryDsn,
    delivery: Delivery,
    places: Arc<Semaphore>,
}

impl FaultReports {
    /// To the project of `dsn`, which may be anywhere, because the operator chose it.
    pub fn new(dsn: SentryDsn, delivery: Delivery) -> Self {
        let limits = Limits { time: MAX_TIME, answer: MAX_ANSWER_LENGTH, at_once: MAX_AT_ONCE };
        let only = PrivateHosts::only(&dsn.target);
        let client = Arc::new(Client::new(Arc::new(SystemNetwork::new()), only, limits));
        Self { client, dsn, delivery, places: Arc::new(Semaphore::new(MAX_AT_ONCE)) }
    }

    /// Sends a report, or drops it when too many are under way. That it failed is logged, and nothing else happens.
    pub(crate) async fn send(&self, report: &FaultReport) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::debug!("too many faults are being reported; this one is in the log only");
            return;
        };
        let question = Question::Post {
            content_type: "application/x-sentry-envelope",
            body: envelope(report),
            answer_type: "application/json",
        };
        let (client, url) = (Arc::clone(&self.client), self.dsn.envelopes.clone());
        let sending = async move {
            if let Err(error) = client.ask(&url, question).await {
                tracing::warn!(%error, "a fault was not reported");
            }
            drop(place);
        };
        match self.delivery {
            Delivery::Before => sending.await,
            Delivery::Behind => drop(tokio::spawn(sending)),
        }
    }
}

/// Nothing of the request is in it but its route: no body, no header, no address, no query.
fn envelope(report: &FaultReport) -> Vec<u8> {
    let id = Uuid::new_v4().simple().to_string();
    let event = json!({
        "event_id": id,
        "timestamp": report.at,
        "platform": "other",
        "level": "error",
        "logger": "credlink",
        "release": concat!("credlink@", env!("CARGO_PKG_VERSION")),
        "transaction": report.transaction,
        "exception": { "values": [{ "type": report.code, "value": scrubbed(&report.cause) }] },
        "tags": { "code": report.code, "status": report.status.to_string(), "request_id": scrubbed(&report.request_id) },
        "fingerprint": [report.code, report.transaction],
    });
    lines(&[json!({ "event_id": id, "sent_at": report.at }), json!({ "type": "event" }), event])
}

fn lines(values: &[Value]) -> Vec<u8> {
    values.iter().flat_map(|value| format!("{value}\n").into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_says_where_envelopes_go() {
        let of = |text: &str| text.parse::<SentryDsn>().map(|dsn| dsn.envelopes);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            of("https://abc123@o1.ingest.sentry.example/42").unwrap(),
            format!(
                "https://o1.ingest.sentry.example/api/42/envelope/?sentry_version=7&sentry_key=abc123&sentry_client=credlink/{version}"
            )
        );
        assert!(
            of("http://k@127.0.0.1:9000/sub/7")
                .unwrap()
                .starts_with("http://127.0.0.1:9000/sub/api/7/envelope/?")
        );
        for wrong in
            ["", "sentry", "https://host/42", "https://k@host/", "ftp://k@host/42", "https://k@host/4?x=y"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        let dsn: SentryDsn = "https://abc123@sentry.example/42".parse().unwrap();
        assert!(!format!("{dsn:?}").contains("abc123"));
    }
}
