//! What callers get when all is well.

use std::collections::HashSet;

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use credlink_pipeline::digest::Sha256Hash;

use crate::support::{Answer, form, get, png, post, post_form, send, service};

#[tokio::test]
async fn a_signed_image_is_valid_and_its_proof_is_kept() {
    let service = service();
    let image = png(20, 10);
    let fields = [
        ("image", Some("../Häfen.PNG"), image.as_slice()),
        ("creator", None, "Zoë 山田".as_bytes()),
        ("title", None, b""),
        ("digitalSourceType", None, b"digitalCapture"),
        ("customAssertions", None, br#"[{"label":"com.example.desk","data":{"id":7}}]"#),
        ("training", None, b"notAllowed"),
    ];
    let signed = post_form(&service, "/sign", &fields).await;
    assert_eq!(signed.status, StatusCode::OK, "{signed:?}");
    assert_eq!(signed.header("content-type"), "image/png");
    assert_eq!(signed.header("cache-control"), "no-store");
    assert_eq!(signed.header("x-content-type-options"), "nosniff");
    assert_eq!(
        signed.header("content-disposition"),
        "attachment; filename=\"H_fen-signed.png\"; filename*=UTF-8''H%C3%A4fen-signed.png"
    );
    assert!(signed.header("x-processing-time").parse::<u64>().is_ok());
    let uri = signed.header("x-proof-uri");
    let path = uri.strip_prefix("http://127.0.0.1:3001").unwrap();

    for (kind, body) in [
        ("image/png", signed.body.to_vec()),
        ("application/octet-stream", signed.body.to_vec()),
        ("multipart/form-data; boundary=fence", form(&[("image", None, &signed.body)])),
    ] {
        let report = post(&service, "/verify", kind, body).await;
        assert_eq!(report.status, StatusCode::OK);
        let report = report.json();
        assert_eq!(report["valid"], true, "{report}");
        assert_eq!(report["confidence"], 100, "{report}");
        assert_eq!(report["proof"]["uri"], uri);
        assert_eq!(report["proof"]["manifestHash"], signed.header("x-manifest-hash"));
    }

    let record = get(&service, path, &[]).await.json();
    assert_eq!(record["uri"], uri);
    assert_eq!(record["imageHash"], Sha256Hash::of(&image).to_string());
    assert_eq!(record["manifestHash"], signed.header("x-manifest-hash"));
}

async fn signed() -> (Router, String, Answer) {
    let service = service();
    let signed = post_form(&service, "/sign", &[("image", None, &png(8, 8))]).await;
    let path = signed.header("x-proof-uri").strip_prefix("http://127.0.0.1:3001").unwrap().to_owned();
    (service, path, signed)
}

#[tokio::test]
async fn a_proof_has_three_forms() {
    let (service, path, signed) = signed().await;
    let record = get(&service, &path, &[("accept", "*/*")]).await;
    assert_eq!(record.header("content-type"), "application/json");
    let store = get(&service, &path, &[("accept", "application/c2pa, */*;q=0.1")]).await;
    assert_eq!(store.header("content-type"), "application/c2pa");
    assert_eq!(Sha256Hash::of(&store.body).to_string(), signed.header("x-manifest-hash"));
    let page = get(&service, &path, &[("accept", "text/html,application/xml;q=0.9,*/*;q=0.8")]).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    assert!(str::from_utf8(&page.body).unwrap().contains(signed.header("x-manifest-hash")));
    for answer in [record, store, page] {
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("vary"), "Accept");
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        let link =
            format!("<{}>; rel=\"c2pa-manifest\"; type=\"application/c2pa\"", signed.header("x-proof-uri"));
        assert_eq!(answer.header("link"), link);
    }
}

#[tokio::test]
async fn who_has_a_proof_already_is_not_sent_it_again() {
    let (service, path, _) = signed().await;
    for accept in ["application/json", "application/c2pa", "text/html"] {
        let first = get(&service, &path, &[("accept", accept)]).await;
        let tag = first.header("etag");
        for known in [tag.to_owned(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            let again = get(&service, &path, &[("accept", accept), ("if-none-match", &known)]).await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{accept} {known}");
            assert!(again.body.is_empty());
            assert_eq!(again.header("etag"), tag);
            assert_eq!(again.header("vary"), "Accept");
        }
        let other = get(&service, &path, &[("accept", accept), ("if-none-match", "\"other\"")]).await;
        assert_eq!(other.body, first.body);
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let (service, path, _) = signed().await;
    for path in [path.as_str(), "/", "/sign.html", "/assets/verify.js", "/health"] {
        let got = get(&service, path, &[]).await;
        let head = send(&service, Request::head(path).body(Body::empty()).unwrap()).await;
        assert_eq!(head.status, got.status);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), got.body.len().to_string(), "{path}");
        assert_eq!(head.headers.get("etag"), got.headers.get("etag"));
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let service = service();
    for path in ["/", "/sign.html"] {
        let page = get(&service, path, &[]).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("connect-src 'self';"), "{policy}");
        let html = str::from_utf8(&page.body).unwrap();
        assert!(!html.contains("style=") && !html.contains("onclick") && !html.contains("<style"));
        let scripts = html.split('"').filter(|word| word.starts_with("assets/")).map(str::to_owned);
        all_are_there(&service, scripts.collect()).await;
    }
    let missing = get(&service, "/assets/../Cargo.toml", &[]).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    get(&service, "/assets/other.js", &[]).await.error("NOT_FOUND");
}

/// Fetches the assets, and those that they import in turn.
async fn all_are_there(service: &Router, mut left: Vec<String>) {
    let mut seen = HashSet::new();
    while let Some(name) = left.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let answer = get(service, &format!("/{name}"), &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}");
        let again = get(service, &format!("/{name}"), &[("if-none-match", answer.header("etag"))]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(!text.contains("https://") && !text.contains("@import"), "{name}");
        let imports = text.split('"').filter_map(|word| word.strip_prefix("./"));
        left.extend(imports.map(|import| format!("assets/{import}")));
    }
    assert!(seen.len() > 5, "{seen:?}");
}

#[tokio::test]
async fn an_unknown_proof_has_a_page_for_people_only() {
    let service = service();
    for id in ["123e4567-e89b-42d3-a456-426614174000", "nonsense"] {
        let path = format!("/proofs/{id}");
        let page = get(&service, &path, &[("accept", "text/html,*/*;q=0.8")]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("vary"), "Accept");
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
        assert!(str::from_utf8(&page.body).unwrap().contains("There is no such proof"));
        for accept in ["*/*", "application/json", "application/c2pa"] {
            let answer = get(&service, &path, &[("accept", accept)]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            answer.error("PROOF_NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn health_tells_version_uptime_and_checks() {
    let answer = get(&service(), "/health", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let health = answer.json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["uptimeSeconds"].is_u64());
    assert_eq!(health["checks"], serde_json::json!({"proofs": "ok", "signer": "ok"}));
}

#[tokio::test]
async fn a_sane_request_id_is_taken_over_and_another_replaced() {
    let service = service();
    let longest = "a".repeat(128);
    for sane in ["client-7", longest.as_str(), "{\"a\":1}"] {
        assert_eq!(get(&service, "/health", &[("x-request-id", sane)]).await.header("x-request-id"), sane);
    }
    let too_long = "a".repeat(129);
    let mut given = vec![get(&service, "/health", &[]).await.header("x-request-id").to_owned()];
    for bad in ["", "two words", "tab\there", "ümlaut", too_long.as_str()] {
        let answer = get(&service, "/nothing", &[("x-request-id", bad)]).await;
        given.push(answer.error("NOT_FOUND")["requestId"].as_str().unwrap().to_owned());
    }
    assert!(given.iter().all(|id| id.len() == 36), "{given:?}");
    let count = given.len();
    given.sort();
    given.dedup();
    assert_eq!(given.len(), count, "each is new");
}
