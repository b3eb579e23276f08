//! What callers get when they ask for what cannot be.

use axum::{
    body::Body,
    http::{Method, Request, header},
};

use crate::support::{BOUNDARY, form, form_type, get, png, post, post_form, send, service, service_with};

#[tokio::test]
async fn unknown_routes_and_methods() {
    let service = service();
    for path in ["/nothing", "/sign/", "/proofs", "/proofs/", "/proofs/a/b", "//", "/.env"] {
        let answer = get(&service, path, &[]).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.error("NOT_FOUND");
    }
    for (method, path, allowed) in [
        (Method::GET, "/sign", "POST"),
        (Method::OPTIONS, "/sign", "POST"),
        (Method::DELETE, "/verify", "POST"),
        (Method::POST, "/", "GET,HEAD"),
        (Method::PUT, "/proofs/x", "GET,HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/health", "GET,HEAD"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = send(&service, request).await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.header("allow"), allowed);
        answer.error("METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn unknown_proofs() {
    let service = service();
    for id in ["0f0e0d0c-0b0a-4908-8706-050403020100", "x", "..%2f..%2fkeys%2froot.pem", "%00", "%ff"] {
        let answer = get(&service, &format!("/proofs/{id}"), &[]).await;
        assert_eq!(answer.status, 404);
        answer.error("PROOF_NOT_FOUND");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn content_types_that_are_not_taken() {
    let service = service();
    for path in ["/sign", "/verify"] {
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "", "\u{7f}"]
        {
            let Ok(request) = Request::post(path).header(header::CONTENT_TYPE, kind).body(Body::empty())
            else {
                continue;
            };
            let answer = send(&service, request).await;
            assert_eq!(answer.status, 415, "{path} {kind}");
            answer.error("UNSUPPORTED_MEDIA_TYPE");
        }
        send(&service, Request::post(path).body(Body::empty()).unwrap())
            .await
            .error("UNSUPPORTED_MEDIA_TYPE");
        post(&service, path, "application/json", "{}").await.error("INVALID_REQUEST");
    }
    post(&service, "/sign", "image/png", png(2, 2)).await.error("UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test]
async fn requests_without_an_image() {
    let service = service();
    for path in ["/sign", "/verify"] {
        post_form(&service, path, &[]).await.error("NO_FILE_PROVIDED");
        post_form(&service, path, &[("image", Some("a.jpg"), b"")]).await.error("NO_FILE_PROVIDED");
    }
    post(&service, "/verify", "image/png", "").await.error("NO_FILE_PROVIDED");
    post_form(&service, "/sign", &[("creator", None, b"a")]).await.error("NO_FILE_PROVIDED");
}

#[tokio::test]
async fn what_is_no_image_and_what_is_a_broken_one() {
    let service = service();
    post_form(&service, "/sign", &[("image", Some("a.jpg"), b"%PDF-1.7")]).await.error("INVALID_FILE_TYPE");
    post(&service, "/verify", "image/jpeg", "%PDF-1.7").await.error("INVALID_FILE_TYPE");
    let whole = png(30, 30);
    let cut = &whole[..whole.len() - 20];
    post_form(&service, "/sign", &[("image", None, cut)]).await.error("VALIDATION_FAILED");
    let wide = post_form(&service, "/sign", &[("image", None, &png(10_001, 1))]).await;
    let wide = wide.error("VALIDATION_FAILED");
    assert_eq!(wide["details"]["width"], 10_001);
    for broken in [cut, &whole[..9], &png(10_001, 1)] {
        let report = post(&service, "/verify", "image/png", broken.to_vec()).await;
        assert_eq!(report.status, 200);
        assert_eq!(report.json()["valid"], false);
    }
}

#[tokio::test]
async fn fields_that_are_refused_are_named() {
    let service = service();
    let image = png(4, 4);
    let too_long = "x".repeat(1001);
    let huge = "x".repeat(600 << 10);
    for (field, value) in [
        ("colour", "red"),
        ("Image", "x"),
        ("creator", "two\nlines"),
        ("creator", " "),
        ("creator", too_long.as_str()),
        ("title", "\u{202E}"),
        ("digitalSourceType", "photo"),
        ("training", "maybe"),
        ("customAssertions", ""),
        ("customAssertions", "no JSON"),
        ("customAssertions", r#"[{"label":"c2pa.actions","data":{}}]"#),
        ("customAssertions", huge.as_str()),
    ] {
        let fields = [("image", None, image.as_slice()), (field, None, value.as_bytes())];
        let error = post_form(&service, "/sign", &fields).await.error("INVALID_REQUEST");
        assert_eq!(error["details"]["field"], field, "{error}");
    }
    let not_text = post_form(&service, "/sign", &[("image", None, &image), ("title", None, b"\xff")]).await;
    assert!(not_text.error("INVALID_REQUEST")["message"].as_str().unwrap().contains("UTF-8"));
    for twice in ["image", "creator"] {
        let fields = [("image", None, image.as_slice()), ("creator", None, b"a"), (twice, None, b"b")];
        let error = post_form(&service, "/sign", &fields).await.error("INVALID_REQUEST");
        assert_eq!(error["details"]["field"], twice);
    }
    post_form(&service, "/verify", &[("image", None, &image), ("creator", None, b"a")])
        .await
        .error("INVALID_REQUEST");
}

#[tokio::test]
async fn malformed_forms() {
    let service = service();
    let image = png(4, 4);
    let good = form(&[("image", Some("a.png"), &image)]);
    let unfinished = good[..good.len() - 4].to_vec();
    let many: Vec<_> = (0..17).map(|_| ("image", None, image.as_slice())).collect();
    let nested = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"\r\n\
         Content-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--{BOUNDARY}--\r\n"
    );
    let unnamed = format!("--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\na\r\n--{BOUNDARY}--\r\n");
    for (what, kind, body) in [
        ("no boundary", "multipart/form-data".to_owned(), good.clone()),
        ("another boundary", "multipart/form-data; boundary=other".to_owned(), good.clone()),
        ("a boundary of 71", format!("multipart/form-data; boundary={}", "a".repeat(71)), good),
        ("no end", form_type(), unfinished),
        ("too many parts", form_type(), form(&many)),
        ("nested", form_type(), nested.into_bytes()),
        ("no name", form_type(), unnamed.into_bytes()),
        ("nothing", form_type(), Vec::new()),
    ] {
        for path in ["/sign", "/verify"] {
            let answer = post(&service, path, &kind, body.clone()).await;
            assert_eq!(answer.status, 400, "{what}");
            answer.error("INVALID_REQUEST");
        }
    }
}

#[tokio::test]
async fn images_over_the_limit() {
    let limit = 1 << 20;
    let service = service_with(crate::support::ports(), &[("MAX_FILE_SIZE_MB", "1")]);
    let mut image = png(4, 4);
    image.resize(limit + 1, 0);
    for answer in [
        post_form(&service, "/sign", &[("image", None, &image)]).await,
        post_form(&service, "/verify", &[("image", None, &image)]).await,
        post(&service, "/verify", "image/png", image.clone()).await,
        // So long that it is not read to its end.
        post(&service, "/verify", "image/png", vec![0; 8 << 20]).await,
    ] {
        assert_eq!(answer.status, 413);
        let error = answer.error("FILE_TOO_LARGE");
        assert_eq!(error["details"]["limitBytes"], limit);
        assert!(error["message"].as_str().unwrap().contains("1 MB"));
    }
    image.truncate(limit);
    assert_eq!(post(&service, "/verify", "image/png", image).await.status, 200);
}
