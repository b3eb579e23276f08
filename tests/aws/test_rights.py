"""The roles of the functions are wide enough for all that the functions do, where AWS enforces them."""

import json

import pytest
import requests

import images
from stack import DEADLINE, Stack

DENIED = ("AccessDenied", "not authorized")


@pytest.fixture(scope="module")
def picture() -> bytes:
    """A JPEG that does not fit into a request, nor into an answer."""
    found = images.saved(images.noise(1600, 1200), "JPEG", quality=98, subsampling=0)
    assert 4 << 20 < len(found) < 10 << 20, len(found)
    return found


def small() -> bytes:
    return images.saved(images.scene(320, 200), "JPEG")


def upload(stack: Stack, picture: bytes) -> str:
    """Brings a picture in the way for large ones; gives the upload's id."""
    wish = {"contentType": "image/jpeg", "contentLength": len(picture)}
    place = stack.call("POST", "/uploads", json=wish)
    assert place.status_code == 201, place.text
    put = requests.put(place.json()["url"], data=picture, headers=place.json()["headers"], timeout=DEADLINE)
    assert put.status_code == 200, put.text
    return place.json()["uploadId"]


def test_images_are_signed_verified_and_proven(guarded: Stack) -> None:
    signed = guarded.call("POST", "/sign", files={"image": ("a.jpg", small(), "image/jpeg")})
    assert signed.status_code == 200, signed.content[:500]
    report = guarded.call("POST", "/verify", data=signed.content, headers={"Content-Type": "image/jpeg"}).json()
    assert (report["confidence"], report["state"]) == (100, "trusted")
    proof = signed.headers["X-Proof-Uri"].rpartition("/")[2]
    for kind in ("application/json", "application/c2pa", "text/html"):
        assert guarded.call("GET", f"/proofs/{proof}", headers={"Accept": kind}).status_code == 200
    assert guarded.call("GET", "/health").json()["status"] == "ok"


def test_large_images_come_and_go_through_the_uploads_bucket(guarded: Stack, picture: bytes) -> None:
    signed = guarded.call("POST", "/sign", json={"uploadId": upload(guarded, picture)})
    assert signed.status_code == 303, signed.content[:500]
    result = requests.get(signed.headers["Location"], timeout=DEADLINE)
    assert result.status_code == 200, result.content[:500]
    report = guarded.call("POST", "/verify", json={"uploadId": upload(guarded, result.content)}).json()
    assert report["valid"], report["status"]


def test_an_upload_that_is_not_there_is_not_found(guarded: Stack) -> None:
    for path in ("/sign", "/verify"):
        answer = guarded.call("POST", path, json={"uploadId": "7d9a8f2e-3b1c-4d5e-9f60-718293a4b5c6"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "UPLOAD_NOT_FOUND")


def test_an_image_goes_from_the_inbox_into_the_outbox(guarded: Stack) -> None:
    key = "news/2024/Café am Hafen 1+1.jpg"
    s3 = guarded.client("s3")
    s3.put_object(Bucket=guarded.outputs["InboxBucketName"], Key=key, Body=small())
    for _ in range(2):
        answer, failure = guarded.invoke("auto_sign", guarded.event("auto_sign.json"))
        assert failure is None, answer
    assert s3.head_object(Bucket=guarded.outputs["OutboxBucketName"], Key=key)["Metadata"]["proof-uri"]


def test_what_cannot_be_signed_is_put_down(guarded: Stack) -> None:
    for name in ("other-bucket", "gone"):
        answer, failure = guarded.invoke("auto_sign", guarded.event(f"malformed/auto_sign-{name}.json"))
        assert failure is None, answer
    queue = guarded.client("sqs").receive_message(QueueUrl=guarded.outputs["FailureQueueUrl"])["Messages"]
    assert json.loads(queue[0]["Body"])["code"] == "OTHER_BUCKET"


def test_functions_that_nobody_calls_may_do_their_work(guarded: Stack) -> None:
    s3, bucket = guarded.client("s3"), guarded.outputs["BlobBucketName"]
    event = guarded.event("reap_blobs.json")
    blob = event["Records"][0]["dynamodb"]["OldImage"]["blob"]["S"]
    s3.put_object(Bucket=bucket, Key=blob, Body=b"a manifest store")
    answer, failure = guarded.invoke("reap_blobs", event)
    assert (answer, failure) == ({"batchItemFailures": []}, None)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix=blob)
    for function in ("cleanup_proofs", "restamp_proofs", "rotate_certificate", "health_metrics"):
        answer, failure = guarded.invoke(function, guarded.event(f"{function}.json"))
        assert failure is None, answer


def test_a_key_is_replaced(guarded: Stack) -> None:
    answer, failure = guarded.invoke("rotate_certificate", {"force": True})
    assert (failure, answer["counts"]["outcome"]) == (None, "rotated"), answer
    assert guarded.invoke("rotate_certificate", {})[0]["counts"]["outcome"] == "not-due"


def test_nothing_was_denied(guarded: Stack) -> None:
    """Stands last: some failures are only logged."""
    for function in guarded.functions:
        denied = [line for line in guarded.logs(function) if any(word in line for word in DENIED)]
        assert denied == [], function
