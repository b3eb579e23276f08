//! Records that a newer version of CredLink wrote.

use serde::Serialize;
use serde_json::Value;

/// Whether `json`, of which `read` was read, says more than this version understood.
pub(crate) fn is_newer(json: &[u8], read: &impl Serialize) -> bool {
    match (serde_json::from_slice(json), serde_json::to_value(read)) {
        (Ok(stored), Ok(understood)) => says_more(&stored, &understood),
        _ => false,
    }
}

/// Whether `stored` has a member, on any level, that `understood` lacks. One that is null says nothing.
fn says_more(stored: &Value, understood: &Value) -> bool {
    let (Value::Object(stored), Value::Object(understood)) = (stored, understood) else { return false };
    stored.iter().any(|(name, value)| match understood.get(name) {
        Some(known) => says_more(value, known),
        None => !value.is_null(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::sample;

    #[test]
    fn a_member_that_is_not_known_is_seen_on_every_level() {
        let record = sample(b"image", "2026-01-01T00:00:00Z").record;
        let known = serde_json::to_value(&record).unwrap();
        let judge = |change: fn(&mut Value)| {
            let mut value = known.clone();
            change(&mut value);
            is_newer(value.to_string().as_bytes(), &record)
        };
        assert!(!judge(|_| {}));
        assert!(!judge(|value| value["stamped"] = Value::Null));
        assert!(!judge(|value| value["createdAt"] = json!("2026-01-01T01:00:00+01:00")));
        assert!(judge(|value| value["watermark"] = json!("durable")));
        assert!(judge(|value| value["signature"]["policy"] = json!("1.2.3")));
    }
}
