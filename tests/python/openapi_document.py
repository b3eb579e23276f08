"""Comparing answers with an OpenAPI document, by a validator of others."""

from typing import Any

from jsonschema import Draft202012Validator

EVERYWHERE = {
    # Of the protocol.
    *("connection", "content-length", "content-type", "date", "transfer-encoding"),
    # Every answer has them; the document says so once.
    *("content-security-policy", "permissions-policy", "referrer-policy", "strict-transport-security"),
    *("x-content-type-options", "x-frame-options", "x-xss-protection"),
}
"""Headers that no answer names of its own."""


class Document:
    """An OpenAPI document, against which answers are held more strictly than it asks of callers: what it does not
    name must not be there."""

    def __init__(self, document: dict) -> None:
        self.json = document
        self._components = {"components": _strict(document["components"])}

    def errors(self, schema: dict, value: object) -> list[str]:
        """What is wrong with a value."""
        validator = Draft202012Validator(
            self._components | schema, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]

    def example_errors(self) -> list[str]:
        """What is wrong with examples of answers, by the schemas beside them."""
        found = []
        for content in _contents(self.json["paths"], self.json["components"]["responses"]):
            for name, example in content.get("examples", {}).items():
                found += [f"{name}: {error}" for error in self.errors(content["schema"], self._resolved(example)["value"])]
        return found

    def answer(self, path: str, method: str, status: int) -> dict | None:
        """What the document says of such an answer; `None` when it says nothing."""
        responses = self.json["paths"][path].get(method.lower(), {}).get("responses", {})
        answer = responses.get(str(status))
        return answer and self._resolved(answer)

    def check(self, path: str, response: Any) -> None:
        """Fails when an answer of `requests` is not as the document says."""
        method, status = response.request.method, response.status_code
        answer = self.answer(path, method, status)
        assert answer is not None, f"{method} {path} answered {status}: {response.text[:300]}"
        assert not (unknown := unknown_headers(answer, response.headers)), f"undocumented: {unknown}"
        for name, header in answer.get("headers", {}).items():
            assert name in response.headers or not self._resolved(header)["required"], f"{name} is missing"
        content = answer.get("content")
        if not content:
            assert not response.content
            return
        media_type = response.headers["Content-Type"].split(";")[0]
        assert media_type in content, f"{method} {path} answered {media_type}"
        if media_type == "application/json":
            assert self.errors(content[media_type]["schema"], response.json()) == [], response.text[:2000]

    def _resolved(self, part: dict) -> dict:
        if "$ref" not in part:
            return part
        _, _, kind, name = part["$ref"].split("/")
        return self.json["components"][kind][name]


def unknown_headers(answer: dict, headers: Any) -> set[str]:
    """The headers that came, and that the document does not name for this answer."""
    named = {name.lower() for name in answer.get("headers", {})}
    return {name.lower() for name in headers} - named - EVERYWHERE


def _strict(part: Any) -> Any:
    """The same without room for members that have no name."""
    if isinstance(part, list):
        return [_strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    strict = {name: _strict(one) for name, one in part.items()}
    if part.get("type") == "object" and "properties" in part:
        strict.setdefault("additionalProperties", False)
    return strict


def _contents(*parts: Any) -> list[dict]:
    """The contents of all answers, wherever they stand."""
    found = []
    for part in parts:
        if isinstance(part, dict):
            if "description" in part and isinstance(part.get("content"), dict) and "required" not in part:
                found += part["content"].values()
            found += _contents(*part.values())
        elif isinstance(part, list):
            found += _contents(*part)
    return found
