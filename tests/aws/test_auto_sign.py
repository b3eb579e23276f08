"""What is put into the inbox comes out of the outbox, signed once."""

import hashlib
import json
import time
from collections.abc import Callable

import pytest

import images
from faulty_link import Fault, FaultyLink, operation
from proofs import stored
from stack import Stack
from validators import assert_valid

DEADLINE = 120.0
"""The longest that all events may take, in seconds."""

NAMES = ["plain", "with space", "plus+sign", "Grüße aus Köln", "写真", "a&b=c", "100%", "emoji 📷", "(brackets)", "it's"]


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> bytes:
    """A picture that no other seed gives."""
    return images.saved(images.noise(*size, seed=seed), "JPEG", quality=90)


def put(stack: Stack, key: str, body: bytes, **metadata: str) -> None:
    """Puts an object into the inbox."""
    stack.client("s3").put_object(Bucket=stack.outputs["InboxBucketName"], Key=key, Body=body, Metadata=metadata)


def outbox(stack: Stack) -> dict[str, dict]:
    """The objects in the outbox by key."""
    s3, bucket = stack.client("s3"), stack.outputs["OutboxBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key) for key in keys}


def failures(stack: Stack) -> list[dict]:
    """Takes what waits in the failure queue."""
    sqs, url, found = stack.client("sqs"), stack.outputs["FailureQueueUrl"], []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def until(happened: Callable[[], object], what: str) -> object:
    """Waits for something to happen."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if result := happened():
            return result
        time.sleep(0.2)
    raise TimeoutError(what)


def arrival(stack: Stack, key: str) -> dict:
    """The event of an object in the inbox, as EventBridge sends it."""
    return {
        "version": "0",
        "id": "2d4eba74-fd51-3966-4bfa-b013c9da8ff1",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-01-31T08:15:30Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:s3:::{stack.outputs['InboxBucketName']}"],
        "detail": {
            "version": "0",
            "bucket": {"name": stack.outputs["InboxBucketName"]},
            "object": {"key": key, "size": 1, "etag": "e", "sequencer": "0"},
            "reason": "PutObject",
        },
    }


def test_fifty_objects_put_twice_are_signed_once(stack: Stack, root: str) -> None:
    before = set(stored(stack).records)
    objects = {f"in/{NAMES[i % 10]}/{i:02} {NAMES[i % 10]}.jpg": picture(i) for i in range(50)}
    for _ in range(2):
        for key, body in objects.items():
            put(stack, key, body, creator="=?UTF-8?B?SsO8cmdlbg==?=")
    # Everything twice: the second event may come while the first is worked on, and after it is done.
    found = until(lambda: (now := outbox(stack)).keys() >= objects.keys() and now, "50 objects in the outbox")
    for key in list(objects)[:10]:
        answer, error = stack.invoke("auto_sign", arrival(stack, key))
        assert error is None, answer
    new = {name: record for name, record in stored(stack).records.items() if name not in before}
    assert len(new) == 50
    assert {record["imageHash"] for record in new.values()} == {
        hashlib.sha256(body).hexdigest() for body in objects.values()
    }
    by_uri = {record["uri"]: record for record in new.values()}
    for key in objects:
        metadata, signed = found[key]["Metadata"], found[key]["Body"].read()
        assert found[key]["ContentType"] == "image/jpeg"
        assert by_uri[metadata["proof-uri"]]["manifestHash"] == metadata["manifest-hash"]
        assert by_uri[metadata["proof-uri"]]["imageHash"] == hashlib.sha256(objects[key]).hexdigest()
        if key.endswith(("写真.jpg", "00 plain.jpg")):
            assert_valid(signed, root)
            assert "Jürgen" in json.dumps(
                stack.call("POST", "/verify", data=signed, headers={"Content-Type": "image/jpeg"}).json(),
                ensure_ascii=False,
            )
    assert failures(stack) == []


def test_what_is_signed_is_measured(stack: Stack) -> None:
    put(stack, "measured.jpg", picture(500))
    until(lambda: "measured.jpg" in outbox(stack), "a signed object")
    names = ("image_signing_total", "image_signing_duration_seconds", "image_signing_size_bytes", "proof_storage_total")

    def measured() -> dict[str, dict]:
        lines = [json.loads(line) for line in stack.logs("auto_sign") if '"_aws"' in line]
        return {name: line for line in lines for name in names if name in line}

    lines = until(lambda: (found := measured()).keys() >= set(names) and found, "what was measured")
    assert (lines["image_signing_total"]["format"], lines["image_signing_total"]["success"]) == ("jpeg", "true")
    assert len(picture(500)) in lines["image_signing_size_bytes"]["image_signing_size_bytes"]


def test_what_was_signed_is_not_signed_again(stack: Stack) -> None:
    put(stack, "first.jpg", picture(1000))
    signed = until(lambda: outbox(stack).get("first.jpg"), "a signed object")["Body"].read()
    before = set(stored(stack).records)
    put(stack, "again.jpg", signed)
    answer, error = stack.invoke("auto_sign", arrival(stack, "again.jpg"))
    assert error is None, answer
    assert set(stored(stack).records) == before
    assert "again.jpg" not in outbox(stack)


def test_a_changed_object_is_signed_as_it_is_now(stack: Stack) -> None:
    for seed in (2000, 2001):
        put(stack, "changing.jpg", picture(seed))
        answer, error = stack.invoke("auto_sign", arrival(stack, "changing.jpg"))
        assert error is None, answer
    wanted = hashlib.sha256(picture(2001)).hexdigest()

    def is_current() -> bool:
        uri = outbox(stack)["changing.jpg"]["Metadata"]["proof-uri"]
        return stored(stack).records[uri.rpartition("/")[2]]["imageHash"] == wanted

    until(is_current, "the later picture")


def test_a_retry_after_a_death_gives_the_same_proof(
    stack: Stack, link: FaultyLink, kill: Callable[[str], None]
) -> None:
    s3, inbox = stack.client("s3"), stack.outputs["InboxBucketName"]
    body = picture(3000)
    image_hash = hashlib.sha256(body).hexdigest()
    died = []

    def die() -> None:
        kill("auto_sign")
        died.append(True)

    fault = Fault(operation("TransactWriteItems"), times=1, done=True, meanwhile=die)
    with link.broken(fault):
        s3.put_object(Bucket=inbox, Key="unlucky.jpg", Body=body)
        until(lambda: died, "the death of the function")
    # Whether AWS tried again already or this is the first: the outcome is the same.
    answer, error = stack.invoke("auto_sign", arrival(stack, "unlucky.jpg"))
    assert error is None, answer
    signed = until(lambda: outbox(stack).get("unlucky.jpg"), "a signed object")
    found = [record for record in stored(stack).records.values() if record["imageHash"] == image_hash]
    assert len(found) == 1
    assert signed["Metadata"]["proof-uri"] == found[0]["uri"]
    report = stack.call("POST", "/verify", data=signed["Body"].read(), headers={"Content-Type": "image/jpeg"}).json()
    assert (report["valid"], report["confidence"]) == (True, 100)


@pytest.mark.parametrize(
    ("key", "body", "code"),
    [
        ("bad/text.jpg", b"this is no image", "VALIDATION_FAILED"),
        ("bad/empty.jpg", b"", "NO_FILE_PROVIDED"),
        ("bad/huge.jpg", b"\xff\xd8" + bytes(60 << 20), "FILE_TOO_LARGE"),
        ("bad/cut.jpg", picture(1)[:400], "VALIDATION_FAILED"),
    ],
)
def test_what_can_never_be_signed_rests_in_the_queue(stack: Stack, key: str, body: bytes, code: str) -> None:
    before = set(stored(stack).records)
    failures(stack)
    put(stack, key, body)
    (failure,) = until(lambda: failures(stack), "a failure")
    assert (failure["function"], failure["code"], failure["key"]) == ("auto_sign", code, key)
    assert failure["reason"]
    answer, error = stack.invoke("auto_sign", arrival(stack, key))
    assert error is None, "it must not be tried again"
    assert len(until(lambda: failures(stack), "the second failure")) == 1
    assert set(stored(stack).records) == before
    assert key not in outbox(stack)


def test_bad_metadata_is_named(stack: Stack) -> None:
    failures(stack)
    put(stack, "bad/metadata.jpg", picture(4000), training="perhaps")
    (failure,) = until(lambda: failures(stack), "a failure")
    assert failure["code"] == "INVALID_REQUEST"
    assert "training" in failure["reason"]


def test_nothing_to_sign_is_no_failure(stack: Stack) -> None:
    failures(stack)
    put(stack, "folder/", b"")
    put(stack, "gone.jpg", b"")
    for key in ("folder/", "never-was-there.jpg"):
        answer, error = stack.invoke("auto_sign", arrival(stack, key))
        assert error is None, answer
    # The empty object is the only thing to look at.
    assert [failure["key"] for failure in until(lambda: failures(stack), "a failure")] == ["gone.jpg"]


@pytest.mark.parametrize("event", [{}, [], {"Records": [1]}, {"source": "aws.ec2", "detail-type": "x", "detail": {}}])
def test_malformed_events_rest_in_the_queue(stack: Stack, event: object) -> None:
    failures(stack)
    answer, error = stack.invoke("auto_sign", event)
    assert error is None, answer
    (failure,) = until(lambda: failures(stack), "a failure")
    assert failure["code"] == "MALFORMED_EVENT"


def test_another_bucket_is_not_signed(stack: Stack) -> None:
    failures(stack)
    event = arrival(stack, "x.jpg")
    event["detail"]["bucket"]["name"] = "somebody-elses"
    answer, error = stack.invoke("auto_sign", event)
    assert error is None, answer
    (failure,) = until(lambda: failures(stack), "a failure")
    assert (failure["code"], failure["bucket"]) == ("OTHER_BUCKET", "somebody-elses")
