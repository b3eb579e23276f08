//! How often a client may ask. The clock stands still, so that no window ends in the middle of a test.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{Router, body::Body, http::Request};
use credlink_pipeline::timestamp::{Clock, Timestamp};
use credlink_service::{
    Entrance, Ports,
    middleware::{Caller, ClientAddress},
    rate_limits::{Asked, Counts, RateLimiter, RateLimiterError, Window},
};

use crate::support::{Answer, form, form_type, png, ports, send, service_with};

/// A clock that somebody sets.
struct SetClock(Mutex<Timestamp>);

impl SetClock {
    fn at(text: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Timestamp::parse(text).unwrap())))
    }

    fn set(&self, text: &str) {
        *self.0.lock().unwrap() = Timestamp::parse(text).unwrap();
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn limited(variables: &[(&str, &str)]) -> (Router, Arc<SetClock>) {
    let clock = SetClock::at("2026-03-01T10:00:20Z");
    (service_with(Ports { clock: Arc::clone(&clock) as _, ..ports() }, variables), clock)
}

async fn from(service: &Router, address: &str, mut request: Request<Body>) -> Answer {
    let address: IpAddr = address.parse().unwrap();
    request.extensions_mut().insert(Caller::Connected(address));
    send(service, request).await
}

fn look() -> Request<Body> {
    Request::get("/proofs/x").body(Body::empty()).unwrap()
}

fn sign() -> Request<Body> {
    let body = form(&[("image", Some("a.png"), &png(4, 4))]);
    Request::post("/sign").header("content-type", form_type()).body(body.into()).unwrap()
}

fn standing(answer: &Answer) -> [&str; 4] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit-policy"]
        .map(|name| answer.header(name))
}

#[tokio::test]
async fn the_one_too_many_is_refused_until_the_window_ends() {
    let (service, clock) = limited(&[("RATE_LIMIT_MAX", "3")]);
    for left in ["2", "1", "0"] {
        let answer = from(&service, "192.0.2.1", look()).await;
        assert_eq!(answer.status, 404);
        assert_eq!(standing(&answer), ["3", left, "40", "3;w=60"]);
    }
    let refused = from(&service, "192.0.2.1", look()).await;
    assert_eq!(refused.status, 429);
    refused.error("RATE_LIMIT_EXCEEDED");
    assert_eq!(refused.header("retry-after"), "40");
    assert_eq!(standing(&refused), ["3", "0", "40", "3;w=60"]);
    assert!(!refused.headers.keys().any(|name| name.as_str().starts_with("x-ratelimit")));
    assert_eq!(from(&service, "192.0.2.2", look()).await.status, 404, "another client");
    clock.set("2026-03-01T10:01:00Z");
    assert_eq!(from(&service, "192.0.2.1", look()).await.status, 404, "another window");
}

#[tokio::test]
async fn signing_has_a_limit_of_its_own() {
    let (service, _) = limited(&[("RATE_LIMIT_MAX", "10"), ("SIGN_RATE_LIMIT_MAX", "2")]);
    for left in ["1", "0"] {
        let answer = from(&service, "192.0.2.1", sign()).await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit-remaining")), (200, left));
    }
    from(&service, "192.0.2.1", sign()).await.error("RATE_LIMIT_EXCEEDED");
    let look = from(&service, "192.0.2.1", look()).await;
    assert_eq!(
        (look.status.as_u16(), look.header("ratelimit-remaining")),
        (404, "6"),
        "signing counts there too"
    );
}

#[tokio::test]
async fn zero_is_no_limit() {
    let (service, _) = limited(&[("RATE_LIMIT_MAX", "0"), ("SIGN_RATE_LIMIT_MAX", "0")]);
    for _ in 0..150 {
        let answer = from(&service, "192.0.2.1", look()).await;
        assert_eq!(answer.status, 404);
        assert!(!answer.headers.contains_key("ratelimit-limit"));
    }
}

#[tokio::test]
async fn health_is_never_refused() {
    let (service, _) = limited(&[("RATE_LIMIT_MAX", "1")]);
    for _ in 0..5 {
        let request = Request::get("/health").body(Body::empty()).unwrap();
        assert_eq!(from(&service, "192.0.2.1", request).await.status, 200);
    }
    assert_eq!(from(&service, "192.0.2.1", look()).await.status, 404);
}

#[tokio::test]
async fn a_forged_header_changes_nothing() {
    for (proxies, appended) in [("0", ""), ("1", ", 203.0.113.9")] {
        let (service, _) = limited(&[("RATE_LIMIT_MAX", "2"), ("TRUSTED_PROXIES", proxies)]);
        for number in 1..=3 {
            let mut request = look();
            let forged = format!("198.51.100.{number}{appended}");
            request.headers_mut().insert("x-forwarded-for", forged.parse().unwrap());
            request.headers_mut().insert("forwarded", format!("for=198.51.100.{number}").parse().unwrap());
            request.headers_mut().insert("x-real-ip", format!("198.51.100.{number}").parse().unwrap());
            let answer = from(&service, "192.0.2.1", request).await;
            assert_eq!(answer.status, if number == 3 { 429 } else { 404 });
        }
    }
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart() {
    let (service, _) = limited(&[("RATE_LIMIT_MAX", "1"), ("TRUSTED_PROXIES", "1")]);
    for (client, status) in [("203.0.113.1", 404), ("203.0.113.2", 404), ("203.0.113.1", 429)] {
        let mut request = look();
        request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        assert_eq!(from(&service, "192.0.2.1", request).await.status, status);
    }
}

struct Down;

#[async_trait]
impl RateLimiter for Down {
    async fn count(&self, _: ClientAddress, _: Asked, _: Window) -> Result<Counts, RateLimiterError> {
        Err(RateLimiterError("down".to_owned()))
    }
}

#[tokio::test]
async fn a_limiter_that_is_down_refuses_nobody() {
    let entrance = Entrance { rate_limiter: Arc::new(Down), ..Entrance::default() };
    let service = service_with(Ports { entrance, ..ports() }, &[("RATE_LIMIT_MAX", "1")]);
    for _ in 0..3 {
        assert_eq!(from(&service, "192.0.2.1", look()).await.status, 404);
    }
}
