//! Every route is in the document, and nothing else.

use std::collections::BTreeSet;

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
};

use super::committed;
use crate::{
    support::{ports, send},
    uploads::local,
};

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let local = local(ports(), &[("RATE_LIMIT_MAX", "0")]);
    let mut routes = BTreeSet::new();
    for path in paths(&local.router) {
        for method in methods(&local.router, &path).await {
            routes.insert((path.clone(), method));
        }
    }
    assert_eq!(routes, described());
}

/// The paths that a router knows, as it shows them to who debugs it, without what it keeps for the fallback.
fn paths(router: &Router) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    shown
        .split('"')
        .filter(|text| text.starts_with('/') && !text.contains("__private"))
        .map(str::to_owned)
        .collect()
}

/// The methods that a path takes, by the answer to one that it does not take. HEAD goes with GET.
async fn methods(router: &Router, path: &str) -> Vec<String> {
    let path = path.replace(['{', '}'], "");
    let brew = Method::from_bytes(b"BREW").unwrap();
    let answer = send(router, Request::builder().method(brew).uri(path).body(Body::empty()).unwrap()).await;
    let allowed = answer.header("allow").to_lowercase();
    allowed.split(',').map(|method| method.trim().to_owned()).filter(|method| method != "head").collect()
}

fn described() -> BTreeSet<(String, String)> {
    let document = committed("openapi.json");
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, methods): (&String, &serde_json::Value)| {
        let path = path.clone();
        let methods: Vec<String> = methods.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |method| (path.clone(), method))
    };
    paths.iter().flat_map(of).collect()
}
