//! One route: what it takes, what it answers, and how it fails.

use serde_json::{Map, Value, json};

use super::{errors, headers};
use crate::{api_keys::Scope, error::ErrorCode};

/// What any route may answer, whatever came.
const ANYWHERE: [ErrorCode; 4] =
    [ErrorCode::InvalidRequest, ErrorCode::InternalError, ErrorCode::ServiceUnavailable, ErrorCode::Timeout];

/// One method of one address.
pub(super) struct Operation {
    method: &'static str,
    path: &'static str,
    tags: Vec<&'static str>,
    id: &'static str,
    summary: &'static str,
    description: String,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Vec<(u16, Answer)>,
    failures: Vec<ErrorCode>,
    scope: Option<Scope>,
    counted: bool,
}

impl Operation {
    /// A route that everybody may ask, and that counts for rate limits. `id` is what generated programs call it by.
    pub(super) fn new(
        method: &'static str,
        path: &'static str,
        tag: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            tags: vec![tag],
            id,
            summary,
            description: String::new(),
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            failures: ANYWHERE.to_vec(),
            scope: None,
            counted: true,
        }
    }

    /// Explains it.
    pub(super) fn explained(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// It is there on one machine only.
    pub(super) fn local(mut self) -> Self {
        self.tags.push("local");
        self
    }

    /// It needs an API key with this scope, where the operator wants keys.
    pub(super) fn guarded(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self.failures.push(ErrorCode::Unauthorized);
        self
    }

    /// It does not count for rate limits.
    pub(super) fn uncounted(mut self) -> Self {
        self.counted = false;
        self
    }

    /// It takes a parameter.
    pub(super) fn takes(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// It takes a body of one of these media types.
    pub(super) fn takes_body(mut self, description: &str, content: &Value) -> Self {
        self.body = Some(json!({"description": description, "required": true, "content": content}));
        self
    }

    /// It answers so, also where a failure has the same status.
    pub(super) fn answers(mut self, status: u16, answer: Answer) -> Self {
        self.answers.push((status, answer));
        self
    }

    /// It fails so, besides what any route may answer.
    pub(super) fn fails(mut self, codes: &[ErrorCode]) -> Self {
        self.failures.extend(codes);
        self
    }

    pub(super) fn path(&self) -> &'static str {
        self.path
    }

    pub(super) fn method(&self) -> &'static str {
        self.method
    }

    /// The operation as the document has it.
    pub(super) fn json(mut self) -> Value {
        if self.counted {
            self.failures.push(ErrorCode::RateLimitExceeded);
        }
        let responses = self.responses();
        self.parameters.extend(headers::REQUEST.map(|name| reference("parameters", name)));
        let mut operation = json!({
            "tags": self.tags,
            "operationId": self.id,
            "summary": self.summary,
            "description": self.description,
            "parameters": self.parameters,
        });
        if let Some(fields) = operation.as_object_mut() {
            fields.extend(self.body.map(|body| ("requestBody".to_owned(), body)));
            fields.insert("responses".to_owned(), Value::Object(responses));
            fields.extend(
                self.scope.map(|scope| ("security".to_owned(), json!([{}, {"apiKey": [scope.to_string()]}]))),
            );
        }
        operation
    }

    fn responses(&self) -> Map<String, Value> {
        let mut statuses: Vec<u16> = self.answers.iter().map(|(status, _)| *status).collect();
        statuses.extend(self.failures.iter().map(|code| code.status().as_u16()));
        statuses.sort_unstable();
        statuses.dedup();
        let mut responses: Map<String, Value> =
            statuses.into_iter().map(|status| (status.to_string(), self.response(status))).collect();
        for (status, name) in errors::BEFORE_ROUTES {
            responses.insert(status.to_owned(), reference("responses", name));
        }
        responses
    }

    fn response(&self, status: u16) -> Value {
        let meant = self.answers.iter().find(|(known, _)| *known == status).map(|(_, answer)| answer.clone());
        let codes: Vec<ErrorCode> =
            self.failures.iter().copied().filter(|code| code.status().as_u16() == status).collect();
        let answer = match (meant, codes.as_slice()) {
            // The same for all routes.
            (None, [code]) if self.counted => return reference("responses", code.name()),
            (None, codes) => errors::answer(status, codes),
            (Some(meant), []) => meant.with_header("X-Request-Id"),
            (Some(meant), codes) => meant.or(errors::answer(status, codes)),
        };
        if self.counted { answer.with_headers(&headers::RATE_LIMIT).json() } else { answer.json() }
    }
}

/// One answer of a route.
#[derive(Clone)]
pub(super) struct Answer {
    description: String,
    headers: Vec<&'static str>,
    content: Map<String, Value>,
    links: Map<String, Value>,
}

impl Answer {
    pub(super) fn new(description: impl Into<String>) -> Self {
        Self { description: description.into(), headers: Vec::new(), content: Map::new(), links: Map::new() }
    }

    /// What it may look like.
    pub(super) fn with(mut self, media_type: &str, content: Value) -> Self {
        self.content.insert(media_type.to_owned(), content);
        self
    }

    pub(super) fn with_header(mut self, name: &'static str) -> Self {
        self.headers.push(name);
        self
    }

    pub(super) fn with_headers(mut self, names: &[&'static str]) -> Self {
        self.headers.extend(names);
        self
    }

    /// What can be asked with it next.
    pub(super) fn with_link(mut self, name: &str, link: Value) -> Self {
        self.links.insert(name.to_owned(), link);
        self
    }

    /// This or `other`, which has the same status.
    fn or(mut self, other: Self) -> Self {
        self.description = format!("{}\n\n{}", self.description, other.description);
        self.headers.extend(other.headers);
        for (media_type, content) in other.content {
            let both = match self.content.remove(&media_type) {
                Some(own) => either(&own, &content),
                None => content,
            };
            self.content.insert(media_type, both);
        }
        self
    }

    /// The answer as the document has it.
    pub(super) fn json(self) -> Value {
        let headers: Map<String, Value> = self
            .headers
            .into_iter()
            .map(|name| (headers::name(name).to_owned(), reference("headers", name)))
            .collect();
        let mut answer = json!({"description": self.description, "headers": headers});
        if let Some(fields) = answer.as_object_mut() {
            for (name, part) in [("content", self.content), ("links", self.links)] {
                if !part.is_empty() {
                    fields.insert(name.to_owned(), Value::Object(part));
                }
            }
        }
        answer
    }
}

/// Two contents of the same media type, with the examples of both.
fn either(one: &Value, other: &Value) -> Value {
    let examples = |content: &Value| content.get("examples").and_then(Value::as_object).cloned();
    let mut shown = examples(one).unwrap_or_default();
    shown.extend(examples(other).unwrap_or_default());
    json!({"schema": {"anyOf": [one.get("schema"), other.get("schema")]}, "examples": shown})
}

/// A content of JSON with a schema and an example by name.
pub(super) fn json_content(schema: &str, example: &str) -> Value {
    json!({
        "schema": reference("schemas", schema),
        "examples": {example: reference("examples", example)},
    })
}

/// A pointer to what stands among the components.
pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}
