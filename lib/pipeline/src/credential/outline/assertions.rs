//! Rules of assertions that the C2PA library does not check (C2PA 2.4, sections 18.5 and 18.15).

use ciborium::Value;

use super::{Status, Superbox, decoded, failure, field, is_known_hash};

const MALFORMED_HASH: &str = "assertion.dataHash.malformed";
const MALFORMED_ACTION: &str = "assertion.action.malformed";

/// What speaks against the assertions in this store.
pub(super) fn objections(store: &Superbox<'_>) -> Vec<Status> {
    let mut found: Vec<Status> = store.superboxes.iter().filter_map(twice(store)).take(1).collect();
    let named = |name: &'static str| store.superboxes.iter().filter(move |one| one.label.starts_with(name));
    let value = |assertion: &Superbox<'_>| decoded(assertion.content(b"cbor")?);
    found.extend(named("c2pa.hash.data").filter_map(value).filter_map(|hash| data_hash(&hash)));
    let actions: Vec<Value> = named("c2pa.actions.v2").filter_map(value).collect();
    found.extend(beginnings(&actions));
    found
}

/// What speaks against these assertions in an update manifest: it has one ingredient, its parent, and leaves the content
/// to the parent's hard binding (C2PA 2.4, section 11.2.2).
pub(super) fn objections_to_update(store: &Superbox<'_>) -> Vec<Status> {
    let named = |name: &'static str| store.superboxes.iter().filter(move |one| one.label.starts_with(name));
    let relationship = |ingredient: &Superbox<'_>| {
        let value = decoded(ingredient.content(b"cbor")?)?;
        Some(field(&value, "relationship")?.as_text()? == "parentOf")
    };
    let ingredients: Vec<_> = named("c2pa.ingredient").map(relationship).collect();
    let mut found = Vec::new();
    if ingredients != [Some(true)] {
        let reason = "an update manifest has one ingredient, and it is the parent";
        found.push(failure("manifest.update.wrongParents", reason.into()));
    }
    if named("c2pa.hash.").next().is_some() {
        let reason = "an update manifest has no hard binding of its own";
        found.push(failure("manifest.update.invalid", reason.into()));
    }
    found
}

/// A claim names an assertion by its label, and so only one of two with the same label.
fn twice(store: &Superbox<'_>) -> impl Fn(&Superbox<'_>) -> Option<Status> {
    let mut labels: Vec<&str> = store.superboxes.iter().map(|one| one.label).collect();
    labels.sort_unstable();
    let repeated: Vec<String> = labels
        .windows(2)
        .filter(|two| two.first() == two.last())
        .filter_map(|two| two.first().map(ToString::to_string))
        .collect();
    move |one| {
        let reason = format!("there are two assertions {}", one.label);
        repeated.iter().any(|label| label == one.label).then(|| failure("assertion.undeclared", reason))
    }
}

/// A data hash has a hash of a known kind, and leaves out ranges in order that do not overlap.
fn data_hash(value: &Value) -> Option<Status> {
    if !field(value, "hash").is_some_and(Value::is_bytes) {
        return Some(failure(MALFORMED_HASH, "the data hash has no hash".into()));
    }
    if !is_known_hash(field(value, "alg")) {
        return Some(failure(
            "algorithm.unsupported",
            "the data hash names an unknown hash algorithm".into(),
        ));
    }
    let mut end = 0;
    let exclusions = field(value, "exclusions");
    for exclusion in exclusions.and_then(Value::as_array).into_iter().flatten() {
        let number =
            |name| field(exclusion, name)?.as_integer().and_then(|number| u64::try_from(number).ok());
        let (Some(start), Some(length)) = (number("start"), number("length")) else {
            return Some(failure(MALFORMED_HASH, "an exclusion of the data hash is not a range".into()));
        };
        let Some(next) = start.checked_add(length).filter(|_| start >= end) else {
            let reason = "the exclusions of the data hash overlap or are not in order";
            return Some(failure(MALFORMED_HASH, reason.into()));
        };
        end = next;
    }
    None
}

/// An asset begins once: it is created or opened in the first action, and in no other.
fn beginnings(assertions: &[Value]) -> Option<Status> {
    let actions = assertions.iter().filter_map(|assertion| field(assertion, "actions")?.as_array()).flatten();
    let begins = |action: &&Value| {
        let name = field(action, "action").and_then(Value::as_text);
        matches!(name, Some("c2pa.created" | "c2pa.opened"))
    };
    (actions.filter(begins).count() > 1)
        .then(|| failure(MALFORMED_ACTION, "the asset was created or opened more than once".into()))
}
