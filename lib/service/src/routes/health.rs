//! `GET /health`: whether the service can do its work. Cheap, and without secrets.

use std::{fmt::Display, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use tokio::time;

use crate::service::Service;

/// How long a check may take.
const MAX_CHECK_TIME: Duration = Duration::from_secs(2);

/// Answers 200 when all checks pass, else 503.
pub(crate) async fn health(State(service): State<Arc<Service>>) -> Response {
    let checks = Checks { proofs: check_proofs(&service).await, signer: check_signer(&service).await };
    let ok = checks.proofs == Check::Ok && checks.signer == Check::Ok;
    let report = Report {
        status: if ok { "ok" } else { "degraded" },
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: service.started.elapsed().as_secs(),
        checks,
    };
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

async fn check_proofs(service: &Service) -> Check {
    outcome("proofs", service.ports.proofs.check()).await
}

async fn check_signer(service: &Service) -> Check {
    outcome("signer", service.ports.identity.check()).await
}

async fn outcome<E: Display>(name: &str, check: impl Future<Output = Result<(), E>>) -> Check {
    match time::timeout(MAX_CHECK_TIME, check).await {
        Ok(Ok(())) => Check::Ok,
        Ok(Err(error)) => {
            tracing::warn!(check = name, %error, "not healthy");
            Check::Failed
        }
        Err(_) => {
            tracing::warn!(check = name, "no answer in time");
            Check::Failed
        }
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Health"))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// `ok` when all checks passed.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["ok", "degraded"])))]
    status: &'static str,
    /// The version of the service.
    version: &'static str,
    /// How long it has been running.
    uptime_seconds: u64,
    /// What was looked at.
    checks: Checks,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "HealthChecks"))]
struct Checks {
    /// Whether proofs can be read and kept.
    proofs: Check,
    /// Whether images can be signed.
    signer: Check,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "HealthCheck"))]
#[serde(rename_all = "lowercase")]
enum Check {
    Ok,
    Failed,
}
