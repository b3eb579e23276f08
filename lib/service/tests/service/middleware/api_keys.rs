//! Who may call.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};
use credlink_pipeline::timestamp::{Clock as _, Timestamp};
use credlink_service::{
    Entrance, Ports,
    api_keys::{ApiKey, ApiKeyId, ApiKeyStore, ApiKeyStoreError, MemoryApiKeys, Scope},
    clock::SystemClock,
};

use crate::support::{Answer, form, form_type, get, png, ports, send, service, service_with};

async fn guarded() -> (Router, Arc<MemoryApiKeys>) {
    let keys = Arc::new(MemoryApiKeys::new());
    (guarded_by(Arc::clone(&keys) as _), keys)
}

fn guarded_by(keys: Arc<dyn ApiKeyStore>) -> Router {
    let entrance = Entrance { api_keys: Some(keys), ..Entrance::default() };
    service_with(Ports { entrance, ..ports() }, &[])
}

async fn new_key(keys: &MemoryApiKeys, scopes: &[Scope], expires: Option<Timestamp>) -> (String, ApiKeyId) {
    let scopes = scopes.iter().copied().collect::<BTreeSet<_>>();
    let (key, text) = ApiKey::generate("test".to_owned(), scopes, SystemClock.now(), expires).unwrap();
    keys.add(&key).await.unwrap();
    (text.to_string(), key.id)
}

async fn call(service: &Router, path: &str, keys: &[&str]) -> Answer {
    let body = form(&[("image", Some("a.png"), &png(4, 4))]);
    let mut request = Request::post(path).header("content-type", form_type());
    for key in keys {
        request = request.header("X-API-Key", *key);
    }
    send(service, request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn a_key_opens_what_it_is_for() {
    let (service, keys) = guarded().await;
    let (sign, _) = new_key(&keys, &[Scope::Sign], None).await;
    let (verify, _) = new_key(&keys, &[Scope::Verify], None).await;
    assert_eq!(call(&service, "/sign", &[&sign]).await.status, 200);
    assert_eq!(call(&service, "/verify", &[&verify]).await.status, 200);
    for (path, key, scope) in
        [("/sign", &verify, "sign"), ("/uploads", &verify, "sign"), ("/verify", &sign, "verify")]
    {
        let refused = call(&service, path, &[key]).await;
        assert_eq!(refused.status, 401);
        let error = refused.error("UNAUTHORIZED");
        assert!(error["message"].as_str().unwrap().contains(&format!("\"{scope}\"")), "{error}");
    }
}

#[tokio::test]
async fn without_a_good_key_nobody_gets_in() {
    let (service, keys) = guarded().await;
    let (good, _) = new_key(&keys, &[Scope::Sign], None).await;
    let (stranger, _) = new_key(&MemoryApiKeys::new(), &[Scope::Sign], None).await;
    let (expired, _) = new_key(&keys, &[Scope::Sign], Some(SystemClock.now())).await;
    let (revoked, id) = new_key(&keys, &[Scope::Sign], None).await;
    keys.revoke(id, SystemClock.now()).await.unwrap();
    let cut = &good[..80];
    for sent in [&[][..], &[""], &["secret"], &[cut], &[&stranger], &[&expired], &[&revoked], &[&good, &good]]
    {
        let refused = call(&service, "/sign", sent).await;
        assert_eq!(refused.status, 401, "{sent:?}");
        assert!(refused.header("www-authenticate").starts_with("ApiKey "), "{refused:?}");
        let error = refused.error("UNAUTHORIZED").to_string();
        assert!(!error.contains("credlink_"), "{error}");
    }
}

#[tokio::test]
async fn what_is_public_stays_public() {
    let (service, _) = guarded().await;
    for path in ["/", "/sign.html", "/assets/style.css", "/assets/icon.svg", "/health"] {
        assert_eq!(get(&service, path, &[]).await.status, 200, "{path}");
    }
    get(&service, "/proofs/x", &[]).await.error("PROOF_NOT_FOUND");
    get(&service, "/nothing", &[]).await.error("NOT_FOUND");
    let request = Request::builder().method(Method::GET).uri("/sign").body(Body::empty()).unwrap();
    send(&service, request).await.error("METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn where_keys_are_off_nobody_needs_one() {
    assert_eq!(call(&service(), "/sign", &["nonsense"]).await.status, 200);
}

struct Down;

#[async_trait]
impl ApiKeyStore for Down {
    async fn add(&self, _: &ApiKey) -> Result<(), ApiKeyStoreError> {
        Err(ApiKeyStoreError::Unavailable("secret".to_owned()))
    }

    async fn find(&self, _: ApiKeyId) -> Result<Option<ApiKey>, ApiKeyStoreError> {
        Err(ApiKeyStoreError::Unavailable("secret".to_owned()))
    }

    async fn all(&self) -> Result<Vec<ApiKey>, ApiKeyStoreError> {
        Err(ApiKeyStoreError::Unavailable("secret".to_owned()))
    }

    async fn revoke(&self, _: ApiKeyId, _: Timestamp) -> Result<bool, ApiKeyStoreError> {
        Err(ApiKeyStoreError::Unavailable("secret".to_owned()))
    }
}

#[tokio::test]
async fn nobody_is_let_in_because_nobody_can_be_asked() {
    let (key, _) = new_key(&MemoryApiKeys::new(), &[Scope::Sign], None).await;
    let refused = call(&guarded_by(Arc::new(Down)), "/sign", &[&key]).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "5"));
    let error = refused.error("SERVICE_UNAVAILABLE").to_string();
    assert!(!error.contains("secret"), "{error}");
}
