//! What came into the inbox, as S3 tells it: directly, or through EventBridge.

use std::borrow::Cow;

use aws_lambda_events::{eventbridge::EventBridgeEvent, s3::S3Event};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// The most objects that one event may speak of. S3 sends one, and promises no number.
const MAX_ARRIVALS: usize = 100;

/// An object that was put somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The bucket.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
}

/// The event is none that this function is for. It will not get better by coming again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the event is not about new objects in S3: {0}")]
pub struct NotAnArrival(String);

impl Arrival {
    /// The objects that `event` speaks of. Takes notifications of S3, whose keys are URL-encoded with plus signs for
    /// spaces, and S3's events in EventBridge, whose keys are not.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html>
    ///
    /// # Errors
    /// [`NotAnArrival`] for everything else. S3's test event, which it sends when a notification is set up, speaks of
    /// no object and is no error.
    pub fn of_event(event: Value) -> Result<Vec<Self>, NotAnArrival> {
        if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
            return Ok(Vec::new());
        }
        if event.get("Records").is_some() { of_notification(event) } else { of_event_bridge(event) }
    }
}

fn of_notification(event: Value) -> Result<Vec<Arrival>, NotAnArrival> {
    let event: S3Event = serde_json::from_value(event).map_err(|error| NotAnArrival(error.to_string()))?;
    if event.records.len() > MAX_ARRIVALS {
        return Err(NotAnArrival(format!("it has {} records", event.records.len())));
    }
    let arrivals = event.records.into_iter().map(|record| {
        let name = record.event_name.unwrap_or_default();
        if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
            return Err(NotAnArrival(format!("the event is {name:?}")));
        }
        match (record.s3.bucket.name, record.s3.object.key) {
            (Some(bucket), Some(key)) if !key.is_empty() => Ok(Arrival { bucket, key: decoded(&key)? }),
            _ => Err(NotAnArrival("a record names no bucket or no object".to_owned())),
        }
    });
    arrivals.collect()
}

/// A key as a notification writes it: percent-encoded, a plus sign for a space.
fn decoded(key: &str) -> Result<String, NotAnArrival> {
    let spaced = key.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| NotAnArrival("a key is not UTF-8".to_owned()))
}

#[derive(Deserialize, Serialize)]
struct ObjectCreated {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize, Serialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize, Serialize)]
struct Object {
    key: String,
}

fn of_event_bridge(event: Value) -> Result<Vec<Arrival>, NotAnArrival> {
    let event: EventBridgeEvent<ObjectCreated> =
        serde_json::from_value(event).map_err(|error| NotAnArrival(error.to_string()))?;
    if event.source != "aws.s3" || event.detail_type != "Object Created" {
        return Err(NotAnArrival(format!("it is {:?} of {:?}", event.detail_type, event.source)));
    }
    let ObjectCreated { bucket, object } = event.detail;
    if object.key.is_empty() {
        return Err(NotAnArrival("it names no object".to_owned()));
    }
    Ok(vec![Arrival { bucket: bucket.name, key: object.key }])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notification(name: &str, key: &str) -> Value {
        json!({"Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1",
            "eventTime": "2026-01-31T08:15:30.250Z", "eventName": name,
            "userIdentity": {"principalId": "A"}, "requestParameters": {"sourceIPAddress": "192.0.2.1"},
            "responseElements": {"x-amz-request-id": "1"},
            "s3": {"s3SchemaVersion": "1.0", "configurationId": "c",
                   "bucket": {"name": "inbox", "ownerIdentity": {"principalId": "A"}, "arn": "arn:aws:s3:::inbox"},
                   "object": {"key": key, "size": 7, "eTag": "e", "sequencer": "0"}}}]})
    }

    fn event_bridge(kind: &str, key: &str) -> Value {
        json!({"version": "0", "id": "1", "detail-type": kind, "source": "aws.s3", "account": "123456789012",
               "time": "2026-01-31T08:15:30Z", "region": "eu-central-1", "resources": [],
               "detail": {"version": "0", "bucket": {"name": "inbox"},
                          "object": {"key": key, "size": 7, "etag": "e", "sequencer": "0"}, "reason": "PutObject"}})
    }

    fn key(event: Value) -> String {
        let arrivals = Arrival::of_event(event).unwrap();
        assert_eq!(arrivals.len(), 1);
        assert_eq!(arrivals[0].bucket, "inbox");
        arrivals[0].key.clone()
    }

    #[test]
    fn keys_are_decoded_only_where_they_are_encoded() {
        let encoded = "Bilder+2026/M%C3%BCnchen%2B%26+50%25.jpg";
        assert_eq!(key(notification("ObjectCreated:Put", encoded)), "Bilder 2026/München+& 50%.jpg");
        assert_eq!(key(event_bridge("Object Created", "a+b%20c é.jpg")), "a+b%20c é.jpg");
    }

    #[test]
    fn other_events_are_refused() {
        for event in [
            notification("ObjectRemoved:Delete", "a.jpg"),
            notification("ObjectCreated:Put", "%FF"),
            notification("ObjectCreated:Put", ""),
            event_bridge("Object Deleted", "a.jpg"),
            json!({}),
            json!([]),
            json!("text"),
            json!({"Records": 7}),
            json!({"Records": vec![0; 101]}),
        ] {
            assert!(Arrival::of_event(event.clone()).is_err(), "{event}");
        }
    }

    #[test]
    fn the_test_event_speaks_of_nothing() {
        let event = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "inbox"});
        assert_eq!(Arrival::of_event(event), Ok(Vec::new()));
    }
}
