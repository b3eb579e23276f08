//! What is measured of requests.

use axum::{
    body::Body,
    http::{Method, Request},
};
use credlink_service::{Entrance, Ports, metrics::PrometheusMetrics};

use crate::support::{get, png, ports, post_form, send, service_with};

#[tokio::test]
async fn labels_are_bounded() {
    let measured = PrometheusMetrics::new().unwrap();
    let entrance = Entrance { metrics: measured.metrics().clone(), ..Entrance::default() };
    let service = service_with(Ports { entrance, ..ports() }, &[]);
    for path in ["/health", "/proofs/one", "/proofs/two", "/nothing", "/else?a=b"] {
        get(&service, path, &[]).await;
    }
    let method = Method::from_bytes(b"BREW").unwrap();
    send(&service, Request::builder().method(method).uri("/sign").body(Body::empty()).unwrap()).await;
    let image = png(4, 4);
    assert_eq!(post_form(&service, "/sign", &[("image", None, &image)]).await.status, 200);
    post_form(&service, "/sign", &[("image", None, &image[..9])]).await.error("VALIDATION_FAILED");

    let text = measured.render();
    for line in [
        r#"http_requests_total{method="GET",route="/health",status="200"} 1"#,
        r#"http_requests_total{method="GET",route="/proofs/{id}",status="404"} 2"#,
        r#"http_requests_total{method="GET",route="unmatched",status="404"} 2"#,
        r#"http_requests_total{method="other",route="/sign",status="405"} 1"#,
        r#"http_request_duration_seconds_count{method="GET",route="/proofs/{id}"} 2"#,
        r#"image_signing_total{format="png",success="true"} 1"#,
        r#"image_signing_total{format="png",success="false"} 1"#,
        r#"image_signing_duration_seconds_count{format="png"} 2"#,
        r#"image_signing_size_bytes_count{format="png"} 2"#,
        r#"proof_storage_total{storage_type="memory"} 1"#,
        r#"errors_total{type="PROOF_NOT_FOUND"} 2"#,
        r#"errors_total{type="NOT_FOUND"} 2"#,
        r#"errors_total{type="METHOD_NOT_ALLOWED"} 1"#,
        r#"errors_total{type="VALIDATION_FAILED"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}
