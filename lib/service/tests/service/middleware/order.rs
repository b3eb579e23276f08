//! What comes before what, as it can be seen from outside.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Router, body::Body, http::Request};
use credlink_pipeline::timestamp::Clock as _;
use credlink_service::{
    Entrance, Ports,
    api_keys::{ApiKey, ApiKeyStore as _, MemoryApiKeys, Scope},
    clock::SystemClock,
    metrics::PrometheusMetrics,
};

use crate::support::{Answer, get, ports, ports_with_signer, post_form, send, service_with};

const ORIGIN: &str = "https://www.example.com";

fn preflight() -> Request<Body> {
    let request =
        Request::options("/sign").header("origin", ORIGIN).header("access-control-request-method", "POST");
    request.body(Body::empty()).unwrap()
}

async fn sign(service: &Router) -> Answer {
    let request = Request::post("/sign").header("origin", ORIGIN).body(Body::empty()).unwrap();
    send(service, request).await
}

#[tokio::test]
async fn limits_come_before_keys_and_after_preflights_and_measuring() {
    let measured = PrometheusMetrics::new().unwrap();
    let keys = Arc::new(MemoryApiKeys::new());
    let (key, _) =
        ApiKey::generate("one".to_owned(), BTreeSet::from([Scope::Sign]), SystemClock.now(), None).unwrap();
    keys.add(&key).await.unwrap();
    let entrance =
        Entrance { api_keys: Some(keys), metrics: measured.metrics().clone(), ..Entrance::default() };
    let variables =
        [("ALLOWED_ORIGINS", ORIGIN), ("RATE_LIMIT_MAX", "2"), ("RATE_LIMIT_WINDOW_MS", "3600000")];
    let service = service_with(Ports { entrance, ..ports() }, &variables);
    for _ in 0..5 {
        assert_eq!(send(&service, preflight()).await.status, 200, "preflights are not counted");
    }
    for _ in 0..2 {
        let refused = sign(&service).await;
        refused.error("UNAUTHORIZED");
        assert!(refused.headers.contains_key("ratelimit-remaining"), "who guesses keys is counted");
    }
    let refused = sign(&service).await;
    refused.error("RATE_LIMIT_EXCEEDED");
    // Whatever is refused further in has what is added further out.
    assert_eq!(refused.header("access-control-allow-origin"), ORIGIN);
    assert!(refused.headers.contains_key("content-security-policy"));
    let text = measured.render();
    assert!(text.contains(r#"http_requests_total{method="POST",route="/sign",status="429"} 1"#), "{text}");
    assert!(text.contains(r#"errors_total{type="UNAUTHORIZED"} 2"#), "{text}");
    assert!(!text.contains("OPTIONS"), "{text}");
}

#[tokio::test]
async fn a_panic_passes_everything_on_its_way_out() {
    let measured = PrometheusMetrics::new().unwrap();
    let entrance = Entrance { metrics: measured.metrics().clone(), ..Entrance::default() };
    let broken = ports_with_signer(|| panic!("a fault of the program"));
    let service = service_with(Ports { entrance, ..broken }, &[("ALLOWED_ORIGINS", ORIGIN)]);
    let image = crate::support::png(4, 4);
    let answer = post_form(&service, "/sign", &[("image", None, &image)]).await;
    let error = answer.error("INTERNAL_ERROR");
    assert!(!error.to_string().contains("a fault of the program"), "{error}");
    assert!(answer.headers.contains_key("ratelimit-remaining"));
    assert!(answer.headers.contains_key("strict-transport-security"));
    assert!(measured.render().contains(r#"errors_total{type="INTERNAL_ERROR"} 1"#));
    assert_eq!(get(&service, "/health", &[]).await.status, 200);
}
