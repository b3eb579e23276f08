//! Which address leads where.

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post, put},
};

use crate::{
    error::{ApiError, ErrorCode},
    local_uploads::LocalUploads,
    middleware,
    routes::{self, local_uploads::Receiving, metrics::Measured},
    service::Service,
};

/// The whole HTTP API, and the pages.
pub fn all(service: Arc<Service>) -> Router {
    finish(sign_routes().merge(verify_routes()).merge(proof_routes()), service)
}

/// The same on one machine, where the service itself takes uploads, serves results, and shows what was measured.
/// `uploads` is the one among the ports of `service`.
pub fn local(service: Arc<Service>, uploads: Arc<LocalUploads>, measured: Arc<Measured>) -> Router {
    let receiving = Receiving { service: Arc::clone(&service), uploads };
    let receiving = Router::new()
        .route("/uploads/{id}", put(routes::local_uploads::take_upload))
        .route("/results/{name}", get(routes::local_uploads::fetch_result))
        .with_state(receiving);
    let measuring = Router::new().route("/metrics", get(routes::metrics::metrics)).with_state(measured);
    let routes = sign_routes().merge(verify_routes()).merge(proof_routes());
    finish(routes.merge(receiving).merge(measuring), service)
}

/// What signs, and what takes uploads for it.
pub fn signing(service: Arc<Service>) -> Router {
    finish(sign_routes(), service)
}

/// What verifies.
pub fn verifying(service: Arc<Service>) -> Router {
    finish(verify_routes(), service)
}

/// What shows proofs, pages and the state of the service.
pub fn showing(service: Arc<Service>) -> Router {
    finish(proof_routes(), service)
}

fn sign_routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/sign", post(routes::sign::sign_image))
        .route("/uploads", post(routes::uploads::begin_upload))
}

fn verify_routes() -> Router<Arc<Service>> {
    Router::new().route("/verify", post(routes::verify::verify_image))
}

fn proof_routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/", get(routes::page::verify))
        .route("/sign.html", get(routes::page::sign))
        .route("/assets/{name}", get(routes::page::asset))
        .route("/health", get(routes::health::health))
        .route("/openapi.json", get(routes::openapi::description))
        .route("/proofs/{id}", get(routes::proofs::proof))
}

fn finish(routes: Router<Arc<Service>>, service: Arc<Service>) -> Router {
    middleware::around(routes.fallback(nothing_here), &service).with_state(service)
}

async fn nothing_here() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "There is nothing at this address.")
}
