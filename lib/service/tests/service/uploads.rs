//! Large images: announced, sent, signed and verified by the name of the upload, and fetched.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use bytes::Bytes;
use credlink_pipeline::{
    digest::Sha256Hash,
    proof::ProofId,
    timestamp::{Clock, Timestamp},
};
use credlink_service::{
    Ports, Service,
    clock::SystemClock,
    local_uploads::LocalUploads,
    router,
    uploads::{ResultUrl, UploadError, UploadId, UploadRequest, UploadTicket, Uploads},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Answer, get, measured, noise_png, png, ports, post, send, service, service_with, settings,
};

pub(crate) const JSON: &str = "application/json";
pub(crate) const HOST: &str = "photos.example.com:3001";

/// A router that takes uploads into a folder, which goes with it.
pub(crate) struct Local {
    pub(crate) router: Router,
    _folder: TempDir,
}

pub(crate) fn local(ports: Ports, variables: &[(&str, &str)]) -> Local {
    let folder = tempfile::tempdir().unwrap();
    let uploads = Arc::new(LocalUploads::open(folder.path().join("uploads"), SystemClock.now()).unwrap());
    let ports = Ports { uploads: Some(Arc::clone(&uploads) as _), ..ports };
    let service = Arc::new(Service::new(ports, settings(variables)));
    Local { router: router::local(service, uploads, measured()), _folder: folder }
}

impl Local {
    pub(crate) async fn begin(&self, announced: Value) -> Answer {
        let request = Request::post("/uploads").header(header::CONTENT_TYPE, JSON).header(header::HOST, HOST);
        send(&self.router, request.body(announced.to_string().into()).unwrap()).await
    }

    pub(crate) async fn put(&self, ticket: &Value, body: Vec<u8>) -> Answer {
        let url = ticket["url"].as_str().unwrap();
        let mut request = Request::put(url.strip_prefix(&format!("http://{HOST}")).unwrap());
        for (name, value) in ticket["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        send(&self.router, request.body(body.into()).unwrap()).await
    }

    /// The id of an upload of `image`.
    pub(crate) async fn upload(&self, image: &[u8]) -> Value {
        let announced = json!({"contentType": "image/png", "contentLength": image.len()});
        let ticket = self.begin(announced).await.json();
        assert_eq!(self.put(&ticket, image.to_vec()).await.status, 204);
        ticket["uploadId"].clone()
    }

    pub(crate) async fn post_json(&self, path: &str, body: Value) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, JSON).header(header::HOST, HOST);
        send(&self.router, request.body(body.to_string().into()).unwrap()).await
    }
}

#[tokio::test]
async fn an_upload_is_signed_and_verified_by_its_name() {
    let local = local(ports(), &[]);
    let image = png(40, 40);
    let announced = json!({
        "contentType": "image/png", "contentLength": image.len(), "sha256": Sha256Hash::of(&image).to_string(),
    });
    let begun = local.begin(announced).await;
    assert_eq!(begun.status, 201);
    assert_eq!(begun.header("cache-control"), "no-store");
    let ticket = begun.json();
    assert_eq!(ticket.as_object().unwrap().len(), 5, "{ticket}");
    assert_eq!(ticket["method"], "PUT");
    assert_eq!(ticket["headers"]["content-type"], "image/png");
    assert!(Timestamp::parse(ticket["expiresAt"].as_str().unwrap()).unwrap() > SystemClock.now());
    let put = local.put(&ticket, image.clone()).await;
    assert_eq!((put.status.as_u16(), put.body.len()), (204, 0));

    let assertions = json!([{"label": "com.example.desk", "data": {"name": "Zoë"}}]);
    for assertions in [assertions.clone(), Value::String(assertions.to_string())] {
        let signed = local
            .post_json(
                "/sign",
                json!({
                    "uploadId": ticket["uploadId"], "creator": "Jane Doe", "title": "A title",
                    "digitalSourceType": "trainedAlgorithmicMedia", "training": "notAllowed",
                    "customAssertions": assertions,
                }),
            )
            .await;
        assert_eq!(signed.status, 200, "{signed:?}");
        assert_eq!(signed.header("content-disposition"), "attachment; filename=\"image-signed.png\"");
        let manifest = report_of(&local, &signed.body).await["manifest"].to_string();
        for said in ["Jane Doe", "A title", "trainedAlgorithmicMedia", "cawg.training-mining", "Zoë"] {
            assert!(manifest.contains(said), "{said}: {manifest}");
        }
    }
}

pub(crate) async fn report_of(local: &Local, signed: &[u8]) -> Value {
    let upload = local.upload(signed).await;
    let report = local.post_json("/verify", json!({"uploadId": upload})).await;
    assert_eq!(report.status, 200);
    let report = report.json();
    assert_eq!(report["valid"], true, "{report}");
    report
}

#[tokio::test]
async fn announcements_that_are_refused_name_the_field() {
    let local = local(ports(), &[]);
    let good = json!({"contentType": "image/png", "contentLength": 10});
    for (field, value) in [
        ("contentType", json!("image/gif")),
        ("contentType", json!("png")),
        ("contentType", json!(1)),
        ("contentType", Value::Null),
        ("contentLength", json!(0)),
        ("contentLength", json!(-1)),
        ("contentLength", json!(1.5)),
        ("contentLength", json!("10")),
        ("contentLength", json!(1e40)),
        ("sha256", json!("00")),
        ("sha256", json!("g".repeat(64))),
        ("sha256", json!([])),
        ("name", json!("a.png")),
    ] {
        let mut announced = good.clone();
        announced[field] = value;
        let error = local.begin(announced.clone()).await.error("INVALID_REQUEST");
        assert_eq!(error["details"]["field"], field, "{announced}");
    }
    for field in ["contentType", "contentLength"] {
        let mut announced = good.clone();
        announced.as_object_mut().unwrap().remove(field);
        let error = local.begin(announced).await.error("INVALID_REQUEST");
        assert_eq!(error["details"]["field"], field);
    }
    let over = json!({"contentType": "image/png", "contentLength": (50 << 20) + 1});
    let over = local.begin(over).await;
    assert_eq!(over.status, 413);
    assert_eq!(over.error("FILE_TOO_LARGE")["details"]["limitBytes"], 50 << 20);
    assert_eq!(local.begin(json!({"contentType": "image/png", "contentLength": 50 << 20})).await.status, 201);
    assert_eq!(local.begin(json!({"contentType": "image/png", "contentLength": 10.0})).await.status, 201);
}

#[tokio::test]
async fn bodies_that_are_no_json_object() {
    let local = local(ports(), &[]);
    let deep = "[".repeat(100_000);
    let twice = r#"{"uploadId": "a", "uploadId": "b"}"#;
    for path in ["/uploads", "/sign", "/verify"] {
        for body in
            ["", "[]", "null", "{", "{}}", "\u{feff}{}", "{'a': 1}", deep.as_str(), twice, r#"{"x":1}"#]
        {
            let answer = post(&local.router, path, JSON, body.to_owned()).await;
            assert_eq!(answer.status, 400, "{path} {body:.20}");
            answer.error("INVALID_REQUEST");
        }
        let long = format!("{{\"title\": \"{}\"}}", "x".repeat(1 << 20));
        let answer = post(&local.router, path, JSON, long).await;
        answer.error("FILE_TOO_LARGE");
    }
    post(&local.router, "/uploads", "text/plain", "{}").await.error("UNSUPPORTED_MEDIA_TYPE");
    post(&local.router, "/uploads", "application/json; charset=utf-8", "{}").await.error("INVALID_REQUEST");
}

#[tokio::test]
async fn fields_of_a_sign_request_are_strict() {
    let local = local(ports(), &[]);
    let upload = local.upload(&png(4, 4)).await;
    for (field, value) in [
        ("creator", json!(1)),
        ("creator", Value::Null),
        ("creator", json!("")),
        ("title", json!(["a"])),
        ("digitalSourceType", json!("photo")),
        ("training", json!(true)),
        ("customAssertions", json!({})),
        ("customAssertions", json!("no JSON")),
        ("customAssertions", json!([{"label": "c2pa.actions", "data": {}}])),
        ("image", json!("data:")),
        ("uploadId", json!(7)),
    ] {
        let mut request = json!({"uploadId": upload});
        request[field] = value;
        let error = local.post_json("/sign", request.clone()).await.error("INVALID_REQUEST");
        assert_eq!(error["details"]["field"], field, "{request}");
    }
    for path in ["/sign", "/verify"] {
        let error = local.post_json(path, json!({})).await.error("INVALID_REQUEST");
        assert_eq!(error["details"]["field"], "uploadId");
    }
    local.post_json("/verify", json!({"uploadId": upload, "creator": "a"})).await.error("INVALID_REQUEST");
}

#[tokio::test]
async fn uploads_that_are_not_there() {
    let local = local(ports(), &[]);
    let announced = local.begin(json!({"contentType": "image/png", "contentLength": 9})).await.json();
    let unknown = UploadId::random().to_string();
    let nothing_came = announced["uploadId"].as_str().unwrap();
    for id in [unknown.as_str(), nothing_came, "", "x", "../../keys/root.pem"] {
        for path in ["/sign", "/verify"] {
            let answer = local.post_json(path, json!({"uploadId": id})).await;
            assert_eq!(answer.status, 404, "{id}");
            answer.error("UPLOAD_NOT_FOUND");
        }
    }
    for path in [format!("/uploads/{unknown}"), "/uploads/x".to_owned(), "/uploads/..%2fkeys".to_owned()] {
        let request = Request::put(path).body(Body::from("a")).unwrap();
        send(&local.router, request).await.error("UPLOAD_NOT_FOUND");
    }
    for name in [unknown.as_str(), nothing_came, "x"] {
        get(&local.router, &format!("/results/{name}"), &[]).await.error("NOT_FOUND");
    }
}

#[tokio::test]
async fn what_was_not_announced_is_not_taken() {
    let local = local(ports(), &[]);
    let announced = json!({
        "contentType": "image/png", "contentLength": 3, "sha256": Sha256Hash::of(b"abc").to_string(),
    });
    let ticket = local.begin(announced).await.json();
    for body in ["ab", "abcd", "abd", ""] {
        let mut ticket = ticket.clone();
        ticket["headers"].as_object_mut().unwrap().remove("content-length");
        let answer = local.put(&ticket, body.into()).await;
        assert_eq!(answer.status, 400, "{body}");
        answer.error("INVALID_REQUEST");
    }
    for kind in ["image/jpeg", "text/html", ""] {
        let mut ticket = ticket.clone();
        ticket["headers"]["content-type"] = json!(kind);
        let error = local.put(&ticket, b"abc".into()).await.error("INVALID_REQUEST");
        assert_eq!(error["details"]["header"], "Content-Type");
    }
    assert_eq!(local.put(&ticket, b"abc".into()).await.status, 204);
    // Announced as an image, and none.
    let id = &ticket["uploadId"];
    local.post_json("/sign", json!({"uploadId": id})).await.error("INVALID_FILE_TYPE");
    local.post_json("/verify", json!({"uploadId": id})).await.error("INVALID_FILE_TYPE");
}

#[tokio::test]
async fn the_url_is_the_one_the_caller_came_by() {
    let https = &[("PROOF_URI_DOMAIN", "https://photos.example.com/proofs")];
    let local = local(ports(), https);
    let announced = json!({"contentType": "image/png", "contentLength": 3});
    let ticket = local.begin(announced.clone()).await.json();
    let url = format!("https://{HOST}/uploads/{}", ticket["uploadId"].as_str().unwrap());
    assert_eq!(ticket["url"], url);
    // No host at all: nobody could be told where to go.
    post(&local.router, "/uploads", JSON, announced.to_string()).await.error("INVALID_REQUEST");
}

#[tokio::test]
async fn a_service_without_uploads() {
    let plain = service();
    post(&plain, "/uploads", JSON, r#"{"contentType": "image/png", "contentLength": 3}"#)
        .await
        .error("NOT_FOUND");
    // Its own limit is all it can name.
    let limited = service_with(ports(), &[("INLINE_LIMIT_BYTES", "65536")]);
    let error = post(&limited, "/verify", "image/png", vec![0; 70_000]).await.error("FILE_TOO_LARGE");
    assert_eq!(error["details"]["limitBytes"], 65536);
    assert_eq!(error["details"]["uploads"], Value::Null);
}

#[tokio::test]
async fn an_upload_past_its_time() {
    struct Ahead;
    impl Clock for Ahead {
        fn now(&self) -> Timestamp {
            let now = SystemClock.now().as_offset_date_time();
            Timestamp::new(now + std::time::Duration::from_secs(16 * 60))
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let uploads = Arc::new(LocalUploads::open(folder.path(), SystemClock.now()).unwrap());
    let routed = |clock: Arc<dyn Clock>| {
        let ports = Ports { uploads: Some(Arc::clone(&uploads) as _), clock, ..ports() };
        router::local(Arc::new(Service::new(ports, settings(&[]))), Arc::clone(&uploads), measured())
    };
    let now = Local { router: routed(Arc::new(SystemClock)), _folder: tempfile::tempdir().unwrap() };
    let later = Local { router: routed(Arc::new(Ahead)), _folder: tempfile::tempdir().unwrap() };
    let upload = now.upload(&png(4, 4)).await;
    assert_eq!(now.post_json("/verify", json!({"uploadId": upload})).await.status, 200);
    later.post_json("/verify", json!({"uploadId": upload})).await.error("UPLOAD_NOT_FOUND");
    let ticket = now.begin(json!({"contentType": "image/png", "contentLength": 1})).await.json();
    later.put(&ticket, b"a".into()).await.error("UPLOAD_NOT_FOUND");
}

/// Uploads that keep nothing.
pub(crate) struct Broken(pub(crate) fn() -> UploadError);

#[async_trait]
impl Uploads for Broken {
    async fn begin(&self, _: &UploadRequest, _: Timestamp) -> Result<UploadTicket, UploadError> {
        Err((self.0)())
    }

    async fn read(&self, _: UploadId, _: usize, _: Timestamp) -> Result<Option<Bytes>, UploadError> {
        Err((self.0)())
    }

    async fn keep_result(
        &self,
        _: ProofId,
        _: Vec<Bytes>,
        _: &str,
        _: &str,
        _: Timestamp,
    ) -> Result<ResultUrl, UploadError> {
        Err((self.0)())
    }
}

#[tokio::test]
async fn uploads_that_fail() {
    for (fail, status, code) in [
        ((|| UploadError::Unavailable("secret".into())) as fn() -> UploadError, 503, "SERVICE_UNAVAILABLE"),
        (|| UploadError::Failed("secret".into()), 500, "INTERNAL_ERROR"),
        (|| UploadError::TooLarge { limit: 7 }, 413, "FILE_TOO_LARGE"),
    ] {
        let service = service_with(Ports { uploads: Some(Arc::new(Broken(fail))), ..ports() }, &[]);
        let id = json!({"uploadId": UploadId::random().to_string()}).to_string();
        for (path, body) in [
            ("/uploads", r#"{"contentType": "image/png", "contentLength": 3}"#.to_owned()),
            ("/sign", id.clone()),
            ("/verify", id),
        ] {
            let answer = post(&service, path, JSON, body).await;
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(answer.headers.contains_key("retry-after"), status == 503);
            assert!(!answer.error(code).to_string().contains("secret"));
        }
    }
}

#[tokio::test]
async fn the_memory_of_uploads_is_counted() {
    // Room for ten images of 1 MB. Each of these answers holds the upload that it is made of.
    let local = local(ports(), &[("MAX_FILE_SIZE_MB", "1")]);
    let upload = local.upload(&noise_png(1000, 1000)).await;
    let request = || {
        Request::post("/sign")
            .header(header::CONTENT_TYPE, JSON)
            .body(Body::from(json!({"uploadId": upload}).to_string()))
            .unwrap()
    };
    let mut held = Vec::new();
    let refused = loop {
        let response = tower::ServiceExt::oneshot(local.router.clone(), request()).await.unwrap();
        if response.status() != 200 {
            break response;
        }
        held.push(response);
        assert!(held.len() <= 10, "more than there is room for");
    };
    assert_eq!(refused.status(), 503);
    assert!(held.len() >= 9, "{}", held.len());
    held.clear();
    assert_eq!(send(&local.router, request()).await.status, 200);
}
