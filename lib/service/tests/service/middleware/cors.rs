//! Whose pages may call.

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};

use crate::support::{Answer, get, ports, send, service, service_with};

const OURS: &str = "https://www.example.com";

fn shared() -> Router {
    service_with(ports(), &[("ALLOWED_ORIGINS", "https://www.example.com,http://localhost:3000")])
}

async fn preflight(service: &Router, path: &str, origin: &str) -> Answer {
    let request = Request::options(path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-api-key,idempotency-key")
        .body(Body::empty());
    send(service, request.unwrap()).await
}

#[tokio::test]
async fn a_preflight_says_what_pages_may_send() {
    for path in ["/sign", "/verify", "/uploads", "/proofs/x"] {
        let answer = preflight(&shared(), path, OURS).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), OURS);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert_eq!(answer.header("access-control-allow-methods"), "GET,HEAD,POST,PUT");
        assert_eq!(answer.header("access-control-max-age"), "7200");
        let allowed = answer.header("access-control-allow-headers");
        for name in ["content-type", "x-api-key", "idempotency-key"] {
            assert!(allowed.contains(name), "{allowed}");
        }
        assert!(
            answer.headers.get_all("vary").iter().any(|value| value.to_str().unwrap().contains("origin"))
        );
        assert!(answer.headers.contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn others_are_told_nothing() {
    for origin in
        ["https://evil.example", "https://www.example.com.evil.example", "null", "http://www.example.com"]
    {
        for answer in [
            preflight(&shared(), "/sign", origin).await,
            get(&shared(), "/health", &[("origin", origin)]).await,
        ] {
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
        }
    }
}

#[tokio::test]
async fn pages_may_read_what_the_service_says_in_headers() {
    for path in ["/health", "/proofs/x", "/nothing"] {
        let answer = get(&shared(), path, &[("origin", OURS)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), OURS, "{path}");
        let exposed = answer.header("access-control-expose-headers");
        for name in ["x-proof-uri", "x-manifest-hash", "x-request-id", "retry-after", "ratelimit-remaining"] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
}

#[tokio::test]
async fn everybody_may_call_but_without_credentials() {
    let open = service_with(ports(), &[("ALLOWED_ORIGINS", "*")]);
    let answer = preflight(&open, "/sign", "https://any.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
}

#[tokio::test]
async fn without_the_setting_no_other_page_may_call() {
    let answer = preflight(&service(), "/sign", OURS).await;
    assert_eq!(answer.status, 405);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn options_that_are_no_preflight_are_a_method_like_others() {
    let request = Request::builder().method(Method::OPTIONS).uri("/sign").body(Body::empty()).unwrap();
    let answer = send(&shared(), request).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    answer.error("METHOD_NOT_ALLOWED");
}
