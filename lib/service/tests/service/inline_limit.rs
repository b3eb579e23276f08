//! Images that are too long for a request, and results that are too long for an answer.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use credlink_pipeline::timestamp::{Clock as _, Timestamp};
use credlink_service::{Ports, clock::SystemClock, uploads::UploadError};
use serde_json::{Value, json};

use crate::{
    support::{form, form_type, get, noise_png, png, ports, post, post_form, service_with},
    uploads::{Broken, HOST, local, report_of},
};

#[tokio::test]
async fn an_image_over_the_inline_limit_is_told_how_to_go_on() {
    let local = local(ports(), &[("INLINE_LIMIT_BYTES", "65536"), ("MAX_FILE_SIZE_MB", "5")]);
    let image = noise_png(300, 300);
    assert!(image.len() > 65536);
    let unannounced = Body::new(http_body_util::Full::new(Bytes::from(vec![0; 4 << 20])));
    for answer in [
        post_form(&local.router, "/sign", &[("image", None, &image)]).await,
        post_form(&local.router, "/verify", &[("image", None, &image)]).await,
        post(&local.router, "/verify", "image/png", image.clone()).await,
        // Over what is read at all.
        post(&local.router, "/verify", "image/png", unannounced).await,
        post(&local.router, "/sign", &form_type(), form(&[("image", None, &vec![0; 5 << 20])])).await,
    ] {
        assert_eq!(answer.status, 413);
        let error = answer.error("FILE_TOO_LARGE");
        assert_eq!(error["details"]["limitBytes"], 65536);
        assert_eq!(error["details"]["uploads"]["method"], "POST");
        assert_eq!(error["details"]["uploads"]["path"], "/uploads");
        assert_eq!(error["details"]["uploads"]["limitBytes"], 5 << 20);
        assert!(error["message"].as_str().unwrap().contains("POST /uploads"), "{error}");
    }
    // An upload would not help.
    let huge = post(&local.router, "/verify", "image/png", vec![0; 8 << 20]).await.error("FILE_TOO_LARGE");
    assert_eq!(huge["details"]["limitBytes"], 5 << 20);
    assert_eq!(huge["details"]["uploads"], Value::Null);

    let small = post_form(&local.router, "/sign", &[("image", None, &png(4, 4))]).await;
    assert_eq!(small.status, 200);
}

#[tokio::test]
async fn a_result_over_the_inline_limit_is_fetched_elsewhere() {
    let local = local(ports(), &[("INLINE_LIMIT_BYTES", "65536")]);
    let upload = local.upload(&noise_png(300, 300)).await;
    let answer = local.post_json("/sign", json!({"uploadId": upload})).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("cache-control"), "no-store");
    let kept = answer.json();
    assert_eq!(kept.as_object().unwrap().len(), 4, "{kept}");
    assert_eq!(kept["url"], answer.header("location"));
    assert_eq!(kept["proofUri"], answer.header("x-proof-uri"));
    assert_eq!(kept["manifestHash"], answer.header("x-manifest-hash"));
    assert!(answer.header("x-processing-time").parse::<u32>().is_ok());
    assert!(Timestamp::parse(kept["expiresAt"].as_str().unwrap()).unwrap() > SystemClock.now());

    let path = answer.header("location").strip_prefix(&format!("http://{HOST}")).unwrap();
    let proof = kept["proofUri"].as_str().unwrap().rsplit('/').next().unwrap();
    let (name, query) = path.split_once('?').unwrap();
    assert!(!name.contains(proof), "the proof's id stands in the image, for everybody");
    assert_eq!(query, format!("proof={proof}"), "browsers see nothing else of the redirect");
    let signed = get(&local.router, path, &[]).await;
    assert_eq!(signed.status, 200);
    assert_eq!(signed.header("content-type"), "image/png");
    assert_eq!(signed.header("content-disposition"), "attachment; filename=\"image-signed.png\"");
    let report = report_of(&local, &signed.body).await;
    assert_eq!(report["details"]["proofsMatch"], true);
}

#[tokio::test]
async fn a_result_that_cannot_be_kept_is_not_handed_out() {
    let ports =
        Ports { uploads: Some(Arc::new(Broken(|| UploadError::Unavailable("secret".into())))), ..ports() };
    let service = service_with(ports, &[("INLINE_LIMIT_BYTES", "65536")]);
    // Just under the limit; its credential lifts it over.
    let mut width = 250;
    let image = loop {
        let image = noise_png(width, 258);
        if image.len() > 64_000 {
            break image;
        }
        width += 1;
    };
    assert!(image.len() <= 65536);
    let answer = post_form(&service, "/sign", &[("image", None, &image)]).await;
    assert_eq!(answer.status, 503, "{:?}", answer.status);
    answer.error("SERVICE_UNAVAILABLE");
    assert!(!answer.headers.contains_key("x-proof-uri"));
}
