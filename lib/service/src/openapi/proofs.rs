//! `GET /proofs/{id}`.

use serde_json::json;

use super::{
    fields::binary,
    operation::{Answer, Operation, json_content, reference},
};
use crate::error::ErrorCode;

const KEPT: [&str; 4] = ["ETag", "Public-Cache-Control", "Link", "Vary"];

pub(super) fn proof() -> Operation {
    Operation::new("get", "/proofs/{id}", "proofs", "readProof", "Shows a proof")
        .explained(
            "In the form that `Accept` likes best: the record as JSON (which is the default), the manifest store, or a page \
             for people. A manifest store that got a time-stamp later comes with it; it contains the embedded one.",
        )
        .takes(json!({
            "name": "id",
            "in": "path",
            "required": true,
            "description": "The UUID in the manifest's label and at the end of the proof URI.",
            "schema": {"type": "string", "format": "uuid"},
        }))
        .takes(json!({
            "name": "store",
            "in": "query",
            "description": "`embedded` for the manifest store as it was embedded, whose SHA-256 is `manifestHash`, also \
                            when there is a stamped one. Anything else counts as if it were not there.",
            "schema": {"type": "string"},
            "examples": {"embedded": {"value": "embedded"}},
        }))
        .takes(reference("parameters", "IfNoneMatch"))
        .answers(
            200,
            Answer::new("The proof.")
                .with_headers(&KEPT)
                .with("application/json", json_content("ProofRecord", "record"))
                .with("application/c2pa", json!({"schema": binary()}))
                .with("text/html", json!({"schema": {"type": "string"}})),
        )
        .answers(304, Answer::new("It is what the caller has already.").with_headers(&KEPT))
        .answers(
            404,
            Answer::new("Who likes a page best gets one.")
                .with_header("Vary-If-Page")
                .with("text/html", json!({"schema": {"type": "string"}})),
        )
        .fails(&[ErrorCode::ProofNotFound])
}
