"""Who may call, how often, and what comes of repeating oneself, as callers of the running service meet it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import credlink
from credlink import DEADLINE, Service, run
from images import corpus

KEY = "0f0e0d0c-0b0a-4908-8706-050403020100"

HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
}


def started(folder: Path, **env: str) -> Service:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    return credlink.start(data, folder / "service.log", **env)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Service]:
    """A service that asks for API keys."""
    running = started(tmp_path, ENABLE_API_KEY_AUTH="true")
    yield running
    running.stop()


def error_of(response) -> dict:
    error = response.json()["error"]
    assert error["statusCode"] == response.status_code
    assert error["requestId"] == response.headers["X-Request-Id"]
    return error


def api(data: Path, *arguments: str):
    done = run("keys", "api", *arguments, "--json", "--data", data)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def sign(service: Service, image: bytes, **headers: str):
    files = {"image": ("a.jpg", image, "image/jpeg")}
    return service.session.post(f"{service.url}/sign", files=files, headers=headers, timeout=DEADLINE)


@pytest.mark.parametrize("path", ["/", "/assets/style.css", "/health", "/proofs/x", "/sign", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
def test_every_answer_has_the_security_headers(service: Service, method: str, path: str) -> None:
    answer = service.session.request(method, service.url + path, timeout=DEADLINE)
    assert answer.status_code < 500
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    if answer.status_code == 405:
        assert answer.headers["Allow"]
    if method == "HEAD":
        assert answer.content == b""


def test_the_one_too_many_is_refused_whatever_it_says_of_itself(tmp_path: Path) -> None:
    service = started(tmp_path, RATE_LIMIT_MAX="5", RATE_LIMIT_WINDOW_MS="3600000")
    try:
        answers = []
        for number in range(7):
            forged = {"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}"}
            answers.append(service.session.get(f"{service.url}/proofs/x", headers=forged, timeout=DEADLINE))
        assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 2
        refused = answers[-1]
        assert error_of(refused)["code"] == "RATE_LIMIT_EXCEEDED"
        assert 0 < int(refused.headers["Retry-After"]) <= 3600
        assert refused.headers["RateLimit-Limit"] == "5"
        assert refused.headers["RateLimit-Remaining"] == "0"
        assert service.session.get(f"{service.url}/health", timeout=DEADLINE).status_code == 200
    finally:
        service.stop()


def test_a_key_opens_the_service_and_is_kept_nowhere(guarded: Service) -> None:
    image = corpus()["jpeg-exif"]
    refused = sign(guarded, image)
    assert (refused.status_code, error_of(refused)["code"]) == (401, "UNAUTHORIZED")
    assert refused.headers["WWW-Authenticate"]
    made = api(guarded.data, "create", "--name", "desk", "--scope", "sign")
    assert sign(guarded, image, **{"X-API-Key": made["key"]}).status_code == 200
    answer = guarded.session.post(
        f"{guarded.url}/verify", data=image, headers={"Content-Type": "image/jpeg", "X-API-Key": made["key"]}
    )
    assert answer.status_code == 401 and '"verify"' in error_of(answer)["message"]
    secret = made["key"].removeprefix("credlink_").encode()
    for path in [*guarded.data.rglob("*"), guarded.log]:
        if path.is_file():
            assert secret[:32] not in path.read_bytes(), path
    assert [key["id"] for key in api(guarded.data, "list")] == [made["id"]]
    assert api(guarded.data, "revoke", made["id"])["state"] == "revoked"
    assert run("keys", "api", "revoke", "0123456789abcdef", "--data", guarded.data).returncode == 2
    assert run("keys", "api", "create", "--name", "x", "--scope", "all", "--data", guarded.data).returncode == 2


def test_measurements_are_for_who_may_administer(guarded: Service) -> None:
    admin = api(guarded.data, "create", "--name", "scraper", "--scope", "admin")["key"]
    signing = api(guarded.data, "create", "--name", "desk", "--scope", "sign")["key"]
    assert sign(guarded, corpus()["jpeg-exif"], **{"X-API-Key": signing}).status_code == 200

    def ask(**headers: str):
        return guarded.session.get(f"{guarded.url}/metrics", headers=headers, timeout=DEADLINE)

    assert [ask().status_code, ask(**{"X-API-Key": signing}).status_code] == [401, 401]
    text = ask(**{"X-API-Key": admin}).text
    assert 'http_requests_total{method="POST",route="/sign",status="200"} 1' in text
    assert 'image_signing_total{format="jpeg",success="true"} 1' in text
    assert 'errors_total{type="unauthorized"}' in text.lower()


def test_a_repeated_request_gets_the_same_image_also_after_a_restart(tmp_path: Path) -> None:
    image = corpus()["jpeg-exif"]
    bodies = set()
    for _ in range(2):
        service = started(tmp_path, PROOF_URI_DOMAIN="https://proofs.example.com")
        try:
            with ThreadPoolExecutor(8) as pool:
                answers = [*pool.map(lambda _: sign(service, image, **{"Idempotency-Key": KEY}), range(8))]
            assert {answer.status_code for answer in answers} <= {200, 409}
            for answer in answers:
                if answer.status_code == 409:
                    assert error_of(answer)["code"] == "IDEMPOTENCY_CONFLICT" and answer.headers["Retry-After"]
                else:
                    bodies.add(answer.content)
            other = sign(service, corpus()["png-palette"], **{"Idempotency-Key": KEY})
            assert (other.status_code, error_of(other)["code"]) == (409, "IDEMPOTENCY_CONFLICT")
        finally:
            service.stop()
    assert len(bodies) == 1


def test_a_wildcard_with_credentials_stops_the_start(tmp_path: Path) -> None:
    done = run("serve", "--data", tmp_path, env={"ALLOWED_ORIGINS": "*", "CORS_CREDENTIALS": "true"})
    assert done.returncode == 2
    assert b"CORS_CREDENTIALS" in done.stderr and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("id", ["..", "../x", "..%2f..%2fkeys%2froot.pem", "%2e%2e%2f", "a%2fb", "%00", "%ff"])
def test_a_path_leads_nowhere_else(service: Service, id: str) -> None:
    import http.client
    from urllib.parse import urlsplit

    for prefix in ("/proofs/", "/uploads/", "/results/"):
        connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=DEADLINE)
        connection.request("GET", prefix + id)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status in (404, 405), (prefix, id)
        assert body["error"]["code"] in ("NOT_FOUND", "PROOF_NOT_FOUND", "METHOD_NOT_ALLOWED")
        connection.close()


def test_the_log_has_who_asked_what(tmp_path: Path) -> None:
    service = started(tmp_path)
    headers = {"User-Agent": "a test", "Referer": "https://a.example/page?secret=1"}
    service.session.get(f"{service.url}/proofs/x?token=secret", headers=headers, timeout=DEADLINE)
    service.stop()
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    (line,) = [line for line in lines if line.get("route") == "/proofs/{id}"]
    expected = {
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/proofs/x",
        "protocol": "HTTP/1.1",
        "status": 404,
        "referer": "https://a.example/page",
        "user_agent": "a test",
    }
    assert {name: line[name] for name in expected} == expected
    assert "secret" not in service.log.read_text()
