//! What browsers must not do with an answer.

use axum::{body::Body, http::Request};

use crate::support::{get, send, service, service_with};

#[tokio::test]
async fn every_answer_has_them() {
    let service = service_with(crate::support::ports(), &[("ALLOWED_ORIGINS", "https://a.example")]);
    let preflight = Request::options("/sign")
        .header("origin", "https://a.example")
        .header("access-control-request-method", "POST")
        .body(Body::empty())
        .unwrap();
    let mut answers = vec![send(&service, preflight).await];
    for path in ["/", "/app.js", "/health", "/proofs/x", "/nothing", "/sign"] {
        answers.push(get(&service, path, &[]).await);
    }
    for answer in answers {
        assert_eq!(
            answer.header("strict-transport-security"),
            "max-age=31536000; includeSubDomains; preload"
        );
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-xss-protection"), "1; mode=block");
        assert!(answer.header("permissions-policy").contains("camera=()"));
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn a_page_may_load_what_it_is_made_of_and_other_answers_nothing() {
    let service = service();
    let page = get(&service, "/", &[]).await;
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    let health = get(&service, "/health", &[]).await;
    assert!(!health.header("content-security-policy").contains("'self'"));
}
