"""Images through the deployed API, as a client sends them."""

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

import pytest
import requests

import images
from stack import Stack
from template import ROOT
from validators import assert_valid

FORMATS = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


def small(kind: str) -> bytes:
    """A small picture."""
    options = {"lossless": True} if kind == "webp" else {}
    return images.saved(images.scene(320, 200), kind.upper(), **options)


@pytest.fixture(scope="session")
def large() -> bytes:
    """A JPEG of about 40 MB: much more than fits into a request to a function."""
    picture = images.saved(images.noise(4600, 2900), "JPEG", quality=98, subsampling=0)
    assert 36 << 20 < len(picture) < 48 << 20, len(picture)
    return picture


def sign(stack: Stack, picture: bytes, kind: str = "image/jpeg", **fields: str) -> requests.Response:
    """Sends a form, as a page or curl does."""
    answer = stack.call("POST", "/sign", files={"image": ("picture", picture, kind)}, data=fields)
    assert answer.status_code == 200, answer.text
    return answer


def record(stack: Stack, signed: requests.Response) -> dict:
    """The record of the proof that an answer names."""
    path = "/proofs/" + signed.headers["X-Proof-Uri"].rpartition("/")[2]
    answer = stack.call("GET", path, headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("algorithm", ["ps256", "es256"])
def test_what_kms_signs_is_valid_for_everybody(
    stack: Stack, activate: Callable[[str], str], restarted: Callable[[], None], kind: str, algorithm: str
) -> None:
    root = activate(algorithm)
    restarted()
    picture = small(kind)
    signed = sign(stack, picture, FORMATS[kind], creator="Jane Doe", digitalSourceType="digitalCapture")
    assert signed.headers["Content-Type"] == FORMATS[kind]
    assert_valid(signed.content, root)
    report = stack.call("POST", "/verify", data=signed.content, headers={"Content-Type": FORMATS[kind]}).json()
    assert (report["valid"], report["confidence"], report["state"]) == (True, 100, "trusted")
    assert report["certificate"]["algorithm"] == algorithm
    assert report["certificate"]["issuer"]


def test_every_byte_arrives_and_leaves(stack: Stack) -> None:
    for kind, media_type in FORMATS.items():
        picture = small(kind)
        signed = sign(stack, picture, media_type)
        kept = record(stack, signed)
        assert kept["imageHash"] == hashlib.sha256(picture).hexdigest()
        path = f"/proofs/{kept['id']}"
        store = stack.call("GET", path, headers={"Accept": "application/c2pa"})
        assert store.headers["Content-Type"] == "application/c2pa"
        assert hashlib.sha256(store.content).hexdigest() == kept["manifestHash"] == signed.headers["X-Manifest-Hash"]
        verified = stack.call("POST", "/verify", files={"image": ("picture", signed.content, media_type)}).json()
        assert verified["valid"], verified["status"]
    # All values that a byte can have, one after the other, in a part that no reader looks at.
    jpeg = small("jpeg")
    every_byte = jpeg[:2] + images.segment(0xEF, bytes(range(256)) * 64) + jpeg[2:]
    signed = sign(stack, every_byte)
    assert record(stack, signed)["imageHash"] == hashlib.sha256(every_byte).hexdigest()
    assert bytes(range(256)) * 64 in signed.content


def test_proof_uris_lead_to_the_api(stack: Stack) -> None:
    uri = sign(stack, small("jpeg")).headers["X-Proof-Uri"]
    assert uri.startswith(f"https://{stack.outputs['ApiId']}.execute-api.")
    assert f"/{stack.outputs['StageName']}/proofs/" in uri


def test_the_pages_may_speak_to_the_bucket_of_uploads_and_no_other(stack: Stack) -> None:
    wish = {"contentType": "image/jpeg", "contentLength": 100}
    place = urlsplit(stack.call("POST", "/uploads", json=wish).json()["url"])
    for path in ("/", "/sign.html", "/proofs/unknown"):
        page = stack.call("GET", path, headers={"Accept": "text/html"})
        parts = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
        assert parts["connect-src"] == f"'self' {place.scheme}://{place.netloc}"


def test_the_pages_work_behind_a_stage(stack: Stack) -> None:
    proof = "/proofs/" + sign(stack, small("png"), "image/png").headers["X-Proof-Uri"].rpartition("/")[2]
    for path in ("/", "/sign.html", proof):
        page = stack.call("GET", path, headers={"Accept": "text/html"})
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")
        links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
        assert links
        for link in links:
            found = stack.session.get(urljoin(f"{stack.url}{path}", link), timeout=60)
            assert found.status_code == 200, f"{path} leads to {link}"
    health = stack.call("GET", "/health").json()
    assert health["status"] == "ok", health
    assert health["checks"] == {"proofs": "ok", "signer": "ok"}


def test_the_api_describes_itself_behind_a_stage(stack: Stack) -> None:
    answer = stack.call("GET", "/openapi.json")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == json.loads((ROOT / "lib/service/openapi.json").read_bytes())
    (server,) = answer.json()["servers"]
    base = urljoin(f"{stack.url}/openapi.json", server["url"]).rstrip("/")
    assert stack.session.get(f"{base}/health", timeout=60).json()["status"] == "ok"
    assert stack.call("GET", "/openapi.json", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_request_has_one_id_everywhere(stack: Stack) -> None:
    answer = stack.call("GET", f"/proofs/{uuid.uuid4()}")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "PROOF_NOT_FOUND"
    assert error["requestId"] == answer.headers["X-Request-Id"]
    chosen = stack.call("GET", "/health", headers={"X-Request-Id": "chosen-by-the-caller"})
    assert chosen.headers["X-Request-Id"] == "chosen-by-the-caller"


def upload(stack: Stack, picture: bytes) -> str:
    """Announces a picture, sends it where the service says, and gives the upload's id."""
    announced = {
        "contentType": "image/jpeg",
        "contentLength": len(picture),
        "sha256": hashlib.sha256(picture).hexdigest(),
    }
    answer = stack.call("POST", "/uploads", json=announced)
    assert answer.status_code == 201, answer.text
    ticket = answer.json()
    put = requests.request(ticket["method"], ticket["url"], data=picture, headers=ticket["headers"], timeout=60)
    assert put.status_code == 200, put.text
    return ticket["uploadId"]


def test_a_large_image_goes_past_the_gateway(stack: Stack, root: str, large: bytes) -> None:
    refused = stack.call("POST", "/sign", files={"image": ("large.jpg", large[: 5 << 20], "image/jpeg")})
    assert refused.status_code == 413
    error = refused.json()["error"]
    assert error["code"] == "FILE_TOO_LARGE"
    assert error["details"]["uploads"]

    signed = stack.call("POST", "/sign", json={"uploadId": upload(stack, large), "creator": "Jane Doe"})
    assert signed.status_code == 303, signed.text
    result = requests.get(signed.headers["Location"], timeout=60)
    assert result.status_code == 200
    assert result.headers["Content-Type"] == "image/jpeg"
    assert record(stack, signed)["imageHash"] == hashlib.sha256(large).hexdigest()
    assert_valid(result.content, root)

    report = stack.call("POST", "/verify", json={"uploadId": upload(stack, result.content)})
    assert report.status_code == 200, report.text
    assert (report.json()["valid"], report.json()["confidence"]) == (True, 100)


def test_an_upload_is_what_was_announced(stack: Stack) -> None:
    unknown = stack.call("POST", "/sign", json={"uploadId": str(uuid.uuid4())})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "UPLOAD_NOT_FOUND")
    too_long = stack.call("POST", "/uploads", json={"contentType": "image/jpeg", "contentLength": 60 << 20})
    assert (too_long.status_code, too_long.json()["error"]["code"]) == (413, "FILE_TOO_LARGE")


@pytest.mark.parametrize(
    ("method", "path", "arguments", "status", "code"),
    [
        ("POST", "/sign", {"files": {"image": ("x.jpg", b"no image", "image/jpeg")}}, 400, "INVALID_FILE_TYPE"),
        ("POST", "/sign", {"data": "x", "headers": {"Content-Type": "text/plain"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("GET", "/sign", {}, 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/nowhere/at/all", {}, 404, "NOT_FOUND"),
        ("POST", "/verify", {"data": b"", "headers": {"Content-Type": "image/png"}}, 400, "NO_FILE_PROVIDED"),
    ],
)
def test_failures_have_the_envelope(
    stack: Stack, method: str, path: str, arguments: dict, status: int, code: str
) -> None:
    answer = stack.call(method, path, **arguments)
    assert answer.status_code == status, answer.text
    error = json.loads(answer.content)["error"]
    assert (error["code"], error["statusCode"]) == (code, status)
