"""Every event of the folder `events`, given to the function that it is for."""

import base64
import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import template
from stack import Stack

EVENTS = template.ROOT / "events"

FUNCTIONS = sorted(template.functions(template.load()).values())

BLOB = "manifests/3f2504e0-4f89-41d3-9a0c-0305e82c3301/0b7e6c5d-4a39-4281-9f0e-d1c2b3a49586"
"""What the proof in the events of the stream owned."""

SCHEDULED = ("cleanup_proofs", "restamp_proofs", "rotate_certificate", "health_metrics")

ANSWERS = {
    "sign.json": (200, None),
    "sign-upload-id.json": (404, "UPLOAD_NOT_FOUND"),
    "sign-uploads.json": (201, None),
    "verify.json": (200, None),
    "proofs.json": (404, "PROOF_NOT_FOUND"),
    "proofs-health.json": (200, None),
    "proofs-page.json": (200, None),
    "malformed/sign-cut-form.json": (400, "INVALID_REQUEST"),
    "malformed/sign-no-body.json": (400, "INVALID_REQUEST"),
    "malformed/verify-text.json": (400, "INVALID_FILE_TYPE"),
    "malformed/proofs-traversal.json": (404, "PROOF_NOT_FOUND"),
}
"""What the HTTP functions answer: status, and the name of the failure."""

PUT_DOWN = {
    "malformed/auto_sign-other-bucket.json": "OTHER_BUCKET",
    "malformed/auto_sign-bad-encoding.json": "MALFORMED_EVENT",
    "malformed/auto_sign-deleted.json": "MALFORMED_EVENT",
    "malformed/auto_sign-no-key.json": "MALFORMED_EVENT",
    "malformed/auto_sign-empty.json": "NO_FILE_PROVIDED",
    "malformed/garbage.json": "MALFORMED_EVENT",
    "malformed/list.json": "MALFORMED_EVENT",
}
"""What a person must look at, and in one word why."""

PASSED_OVER = ("auto_sign-folder", "auto_sign-gone", "auto_sign-no-records")
"""What comes in daily life, and needs nobody."""


def function_of(name: str) -> str:
    """The function that an event is for."""
    stem = Path(name).stem
    return next(function for function in FUNCTIONS if stem == function or stem.startswith(f"{function}-"))


def call(stack: Stack, name: str, function: str | None = None) -> object:
    """Gives the event to its function, which must not fail; what it answers."""
    answer, failure = stack.invoke(function or function_of(name), stack.event(name))
    assert failure is None, answer
    return answer


def put_in_inbox(stack: Stack, key: str, body: bytes) -> None:
    stack.client("s3").put_object(Bucket=stack.outputs["InboxBucketName"], Key=key, Body=body)


def picture(stack: Stack) -> bytes:
    return base64.b64decode(stack.event("verify.json")["body"])


def exists(stack: Stack, bucket: str, key: str) -> bool:
    try:
        stack.client("s3").head_object(Bucket=stack.outputs[bucket], Key=key)
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 404, error
        return False
    return True


def failures(stack: Stack) -> list[dict]:
    """What waits in the failures queue; it is empty afterwards."""
    sqs, url, found = stack.client("sqs"), stack.outputs["FailureQueueUrl"], []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(json.loads(message["Body"]))
    return found


def test_every_function_has_an_event() -> None:
    files = {path.relative_to(EVENTS).as_posix() for path in EVENTS.rglob("*.json")}
    for_all = {"malformed/garbage.json", "malformed/list.json"}
    assert {function_of(name) for name in files - for_all} == {*FUNCTIONS}
    assert {f"{function}.json" for function in FUNCTIONS} <= files


@pytest.mark.parametrize("name", ANSWERS)
def test_http_functions_answer(stack: Stack, name: str) -> None:
    status, code = ANSWERS[name]
    answer = call(stack, name)
    body = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    assert answer["statusCode"] == status, body[:500]
    if code is not None:
        assert json.loads(body)["error"]["code"] == code


def test_a_signed_image_leaves_a_function_in_base64(stack: Stack) -> None:
    answer = call(stack, "sign.json")
    headers = {name.lower(): value for name, value in answer["headers"].items()} | {
        name.lower(): values[0] for name, values in answer["multiValueHeaders"].items()
    }
    assert answer["isBase64Encoded"] is True
    assert headers["content-type"] == "image/jpeg"
    image = base64.b64decode(answer["body"], validate=True)
    assert image.startswith(b"\xff\xd8") and image.endswith(b"\xff\xd9")
    assert headers["x-proof-uri"].startswith(f"{stack.outputs['ApiUrl']}/proofs/")


@pytest.mark.parametrize("name", ["auto_sign.json", "auto_sign-s3.json"])
def test_an_image_in_the_inbox_is_signed(stack: Stack, name: str) -> None:
    key = "news/2024/Café am Hafen 1+1.jpg"
    put_in_inbox(stack, key, picture(stack))
    call(stack, name)
    assert exists(stack, "OutboxBucketName", key)


@pytest.mark.parametrize(
    "name", ["reap_blobs.json", "reap_blobs-user.json", "malformed/reap_blobs-damaged-record.json"]
)
def test_what_a_removed_proof_owned_is_deleted(stack: Stack, name: str) -> None:
    stack.client("s3").put_object(Bucket=stack.outputs["BlobBucketName"], Key=BLOB, Body=b"a manifest store")
    for _ in range(2):
        assert call(stack, name) == {"batchItemFailures": []}
        assert not exists(stack, "BlobBucketName", BLOB)


@pytest.mark.parametrize(
    "name",
    ["reap_blobs-insert.json", "malformed/reap_blobs-foreign-blob.json", "malformed/reap_blobs-look-up.json"],
)
def test_what_no_removed_proof_owned_stays(stack: Stack, name: str) -> None:
    others = (BLOB, "manifests/../trust/anchors.pem", "trust/anchors.pem")
    for key in others:
        stack.client("s3").put_object(Bucket=stack.outputs["BlobBucketName"], Key=key, Body=b"something")
    assert call(stack, name) == {"batchItemFailures": []}
    assert [key for key in others if not exists(stack, "BlobBucketName", key)] == []


@pytest.mark.parametrize("function", SCHEDULED)
def test_scheduled_functions_run_twice(stack: Stack, function: str) -> None:
    for _ in range(2):
        call(stack, f"{function}.json")


@pytest.mark.parametrize("name", PUT_DOWN)
def test_what_a_person_must_look_at_is_put_down_with_its_reason(stack: Stack, name: str) -> None:
    if name.endswith("-empty.json"):
        put_in_inbox(stack, "news/2024/empty.jpg", b"")
    failures(stack)
    call(stack, name, "auto_sign")
    found = failures(stack)
    assert {failure["code"] for failure in found} == {PUT_DOWN[name]}
    assert all(failure["reason"] for failure in found)


@pytest.mark.parametrize("name", PASSED_OVER)
def test_what_needs_nobody_is_passed_over(stack: Stack, name: str) -> None:
    if name.endswith("-folder"):
        put_in_inbox(stack, "news/2024/", b"")
    failures(stack)
    call(stack, f"malformed/{name}.json")
    assert failures(stack) == []
    assert not exists(stack, "OutboxBucketName", "news/2024/")


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", ["malformed/garbage.json", "malformed/list.json"])
def test_nonsense_ends_no_function(stack: Stack, function: str, name: str) -> None:
    answer, failure = stack.invoke(function, stack.event(name))
    assert failure is None or answer["errorType"] not in ("Runtime.ExitError", "Sandbox.Timedout"), answer
    call(stack, "reap_blobs-insert.json" if function == "auto_sign" else f"{function}.json", function)


def test_a_body_that_is_no_base64_ends_no_function(stack: Stack) -> None:
    answer, failure = stack.invoke("sign", stack.event("malformed/sign-bad-base64.json"))
    assert failure is not None or answer["statusCode"] == 400, answer
    call(stack, "sign.json")


@pytest.mark.parametrize("binary", ["sign", "verify", "proofs", *SCHEDULED])
def test_what_is_said_to_raise_an_alarm_fails(stack: Stack, binary: str) -> None:
    """As docs/operations.md says."""
    _, failure = stack.invoke(binary, {"dryRun": "perhaps"} if binary in SCHEDULED else "no request")
    assert failure is not None
