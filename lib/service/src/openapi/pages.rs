//! The pages and what they are made of.

use serde_json::{Value, json};

use super::operation::{Answer, Operation, reference};
use crate::{error::ErrorCode, routes::page::ASSETS};

const KEPT: [&str; 2] = ["ETag", "Cache-Control"];

pub(super) fn verify() -> Operation {
    page("/", "showVerifyPage", "The page that verifies")
}

pub(super) fn sign() -> Operation {
    page("/sign.html", "showSignPage", "The page that signs")
}

pub(super) fn asset() -> Operation {
    let mut kinds: Vec<&str> = ASSETS.iter().map(|(_, kind, _)| essence(kind)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let answer = Answer::new("The part.").with_headers(&KEPT);
    let answer = kinds.into_iter().fold(answer, |answer, kind| answer.with(kind, text()));
    Operation::new(
        "get",
        "/assets/{name}",
        "pages",
        "showPagePart",
        "A script, the style or the icon of the pages",
    )
    .takes(json!({
        "name": "name",
        "in": "path",
        "required": true,
        "schema": {"enum": ASSETS.map(|(name, ..)| name)},
    }))
    .takes(reference("parameters", "IfNoneMatch"))
    .answers(200, answer)
    .answers(304, not_modified())
    .fails(&[ErrorCode::NotFound])
}

fn page(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new("get", path, "pages", id, summary)
        .takes(reference("parameters", "IfNoneMatch"))
        .answers(200, Answer::new("The page.").with_headers(&KEPT).with("text/html", text()))
        .answers(304, not_modified())
}

/// It is what the caller has already.
pub(super) fn not_modified() -> Answer {
    Answer::new("It is what the caller has already.").with_headers(&KEPT)
}

fn text() -> Value {
    json!({"schema": {"type": "string"}})
}

/// A media type without its parameters.
fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or(kind)
}
