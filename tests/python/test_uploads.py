"""Large images: announced, sent, signed and verified by the name of the upload, and fetched."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

import credlink
from containers import manifest_store
from credlink import DEADLINE, Service
from photographs import photograph
from validators import assert_valid

INLINE_LIMIT = 65536


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that takes and gives only short images inside of requests and answers, as on AWS."""
    data = tmp_path_factory.mktemp("uploads")
    credlink.make_keys(data, "p-256")
    service = credlink.start(data, data / "service.log", INLINE_LIMIT_BYTES=str(INLINE_LIMIT))
    yield service
    service.stop()


@pytest.fixture(scope="module")
def photo() -> bytes:
    """A photograph over the limit."""
    file = io.BytesIO()
    photograph("rocket").save(file, "JPEG", quality=98)
    assert file.tell() > INLINE_LIMIT
    return file.getvalue()


def post(service: Service, path: str, body: dict, **more) -> requests.Response:
    return service.session.post(f"{service.url}{path}", json=body, timeout=DEADLINE, **more)


def announce(service: Service, image: bytes, **more: str) -> dict:
    response = post(service, "/uploads", {"contentType": "image/jpeg", "contentLength": len(image), **more})
    assert response.status_code == 201, response.text
    return response.json()


def send(ticket: dict, image: bytes, **more: str) -> requests.Response:
    assert ticket["method"] == "PUT"
    return requests.put(ticket["url"], data=image, headers=ticket["headers"] | more, timeout=DEADLINE)


def upload(service: Service, image: bytes) -> str:
    ticket = announce(service, image, sha256=hashlib.sha256(image).hexdigest())
    response = send(ticket, image)
    assert response.status_code == 204, response.text
    return ticket["uploadId"]


def error(response: requests.Response, status: int, code: str) -> dict:
    assert response.status_code == status, response.text
    failure = response.json()["error"]
    assert failure["code"] == code, failure
    return failure


def test_a_photograph_is_refused_uploaded_signed_fetched_and_verified(limited: Service, photo: bytes):
    refused = error(limited.post_sign(photo), 413, "FILE_TOO_LARGE")
    way_on = refused["details"]["uploads"]
    assert way_on["method"] == "POST" and way_on["limitBytes"] >= len(photo)

    body = {"uploadId": upload(limited, photo), "creator": "Jane Doe"}
    answer = post(limited, "/sign", body, allow_redirects=False)
    assert answer.status_code == 303
    kept = answer.json()
    assert kept["url"] == answer.headers["Location"]
    assert kept["proofUri"] == answer.headers["X-Proof-Uri"]

    signed = requests.get(kept["url"], timeout=DEADLINE)
    assert signed.status_code == 200 and signed.headers["Content-Type"] == "image/jpeg"
    assert signed.headers["Content-Disposition"] == 'attachment; filename="image-signed.jpg"'
    store = hashlib.sha256(manifest_store(signed.content)).hexdigest()
    assert store == kept["manifestHash"] == answer.headers["X-Manifest-Hash"]
    assert_valid(signed.content, limited.root_pem)

    error(limited.post_verify(signed.content), 413, "FILE_TOO_LARGE")
    report = post(limited, "/verify", {"uploadId": upload(limited, signed.content)})
    assert report.status_code == 200
    assert report.json()["valid"] and report.json()["details"]["proofsMatch"]
    assert "Jane Doe" in report.text


def test_a_client_that_follows_gets_the_image_at_once(limited: Service, photo: bytes):
    signed = post(limited, "/sign", {"uploadId": upload(limited, photo)})
    assert [step.status_code for step in signed.history] == [303]
    assert_valid(signed.content, limited.root_pem)


def test_without_a_limit_the_answer_is_the_image(service: Service, photo: bytes):
    signed = post(service, "/sign", {"uploadId": upload(service, photo)}, allow_redirects=False)
    assert signed.status_code == 200
    assert_valid(signed.content, service.root_pem)


def test_only_what_was_announced_is_taken(service: Service, photo: bytes):
    ticket = announce(service, photo, sha256=hashlib.sha256(photo).hexdigest())
    for refused in (
        send(ticket, photo, **{"content-type": "image/png"}),
        send(ticket, photo[:-1], **{"content-length": str(len(photo) - 1)}),
        send(ticket, photo + b"\0", **{"content-length": str(len(photo) + 1)}),
        send(ticket, photo[:-1] + bytes([photo[-1] ^ 1])),
    ):
        error(refused, 400, "INVALID_REQUEST")
    error(post(service, "/sign", {"uploadId": ticket["uploadId"]}), 404, "UPLOAD_NOT_FOUND")
    assert send(ticket, photo).status_code == 204


def test_what_is_not_there_and_what_cannot_be(service: Service):
    unknown = {"uploadId": "0f0e0d0c-0b0a-4908-8706-050403020100"}
    for path in ("/sign", "/verify"):
        error(post(service, path, unknown), 404, "UPLOAD_NOT_FOUND")
    for announced, field in (
        ({"contentType": "image/gif", "contentLength": 1}, "contentType"),
        ({"contentType": "image/png", "contentLength": "1"}, "contentLength"),
        ({"contentType": "image/png"}, "contentLength"),
        ({"contentType": "image/png", "contentLength": 1, "key": "a"}, "key"),
    ):
        failure = error(post(service, "/uploads", announced), 400, "INVALID_REQUEST")
        assert failure["details"]["field"] == field
    too_long = {"contentType": "image/png", "contentLength": (50 << 20) + 1}
    error(post(service, "/uploads", too_long), 413, "FILE_TOO_LARGE")


def test_the_log_names_no_upload(limited: Service, photo: bytes):
    """Who knows the id may use the upload, so not even a failure writes it down."""
    identity = upload(limited, photo)
    response = post(limited, "/sign", {"uploadId": identity}, allow_redirects=False)
    post(limited, "/verify", {"uploadId": identity})
    folder = limited.data / "uploads"
    assert (folder / f"{identity}.upload").exists()
    (folder / f"{identity}.upload").write_text("{")
    error(post(limited, "/verify", {"uploadId": identity}), 404, "UPLOAD_NOT_FOUND")
    log = Path(limited.log).read_text()
    assert "/uploads/{id}" in log
    assert identity not in log and urlsplit(response.headers["Location"]).path.rpartition("/")[2] not in log


def test_uploads_outlive_a_restart(tmp_path: Path, data: Path, photo: bytes):
    credlink.make_keys(data, "p-256")
    first = credlink.start(data, tmp_path / "service.log")
    identity = upload(first, photo)
    assert first.stop() == 0
    second = credlink.start(data, tmp_path / "service.log")
    try:
        assert post(second, "/sign", {"uploadId": identity}).status_code == 200
    finally:
        assert second.stop() == 0
