"""Faults between any two steps of signing: no image without its proof, no half proof, and a retry that works."""

from collections.abc import Callable

import pytest

from faulty_link import Call, Fault, FaultyLink, operation, put_object
from proofs import Stored, stored
from stack import Stack
from test_images import record, small
from validators import assert_valid

blob_written = put_object("/manifests/")
record_written = operation("TransactWriteItems")
signature_made = operation("Sign")

PASSING = {
    "KMS throttles": Fault(signature_made, times=2, error=(400, "ThrottlingException")),
    "KMS fails": Fault(signature_made, times=2, error=(500, "KMSInternalException")),
    "KMS hangs up": Fault(signature_made, times=1),
    "S3 fails": Fault(blob_written, times=2, error=(500, "InternalError")),
    "S3 asks to slow down": Fault(blob_written, times=2, error=(503, "SlowDown")),
    "S3's answer is lost": Fault(blob_written, times=1, done=True),
    "DynamoDB throttles": Fault(record_written, times=2, error=(400, "ProvisionedThroughputExceededException")),
    "DynamoDB fails": Fault(record_written, times=2, error=(500, "InternalServerError")),
    "DynamoDB's answer is lost": Fault(record_written, times=1, done=True),
}

LASTING = {
    "KMS throttles": Fault(signature_made, error=(400, "ThrottlingException")),
    "S3 fails": Fault(blob_written, error=(500, "InternalError")),
    "DynamoDB throttles": Fault(record_written, error=(400, "ThrottlingException")),
    "DynamoDB hangs up": Fault(record_written),
}


def again(fault: Fault) -> Fault:
    """The same fault, unused."""
    return Fault(fault.matches, fault.times, fault.error, fault.done, fault.meanwhile)


def attempt(stack: Stack) -> object:
    """Signs, whatever comes of it."""
    return stack.call("POST", "/sign", files={"image": ("picture.jpg", small("jpeg"), "image/jpeg")})


def new_proofs(stack: Stack, before: Stored) -> set[str]:
    """The proofs that are there now and were not; all of what is there is whole."""
    now = stored(stack)
    now.assert_whole()
    return now.records.keys() - before.records.keys()


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_not_noticed(stack: Stack, link: FaultyLink, root: str, name: str) -> None:
    before = stored(stack)
    with link.broken(again(PASSING[name])):
        answer = attempt(stack)
    assert answer.status_code == 200, answer.text
    assert new_proofs(stack, before) == {record(stack, answer)["id"]}
    assert_valid(answer.content, root)


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_that_lasts_is_said(stack: Stack, link: FaultyLink, name: str) -> None:
    before = stored(stack)
    with link.broken(again(LASTING[name])):
        answer = attempt(stack)
    assert answer.status_code == 503, answer.text
    assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert int(answer.headers["Retry-After"]) > 0
    assert new_proofs(stack, before) == set()
    assert attempt(stack).status_code == 200


def test_a_refused_record_hands_nothing_out(stack: Stack, link: FaultyLink) -> None:
    before = stored(stack)
    with link.broken(Fault(record_written, error=(400, "ConditionalCheckFailedException"))):
        answer = attempt(stack)
    assert answer.status_code >= 500, answer.text
    assert new_proofs(stack, before) == set()


@pytest.mark.parametrize(
    ("step", "done", "proofs"),
    [
        pytest.param(signature_made, False, 0, id="before the signature"),
        pytest.param(signature_made, True, 0, id="before the manifest store is kept"),
        pytest.param(blob_written, True, 0, id="before the record is kept"),
        pytest.param(record_written, True, 1, id="before the answer"),
    ],
)
def test_a_death_between_two_steps_leaves_nothing_half(
    stack: Stack,
    link: FaultyLink,
    kill: Callable[[str], None],
    step: Callable[[Call], bool],
    done: bool,
    proofs: int,
) -> None:
    before = stored(stack)
    with link.broken(Fault(step, times=1, done=done, meanwhile=lambda: kill("sign"))):
        answer = attempt(stack)
    assert answer.status_code >= 500
    new = new_proofs(stack, before)
    assert len(new) == proofs
    for name in new:
        store = stack.call("GET", f"/proofs/{name}", headers={"Accept": "application/c2pa"})
        assert store.status_code == 200
    assert attempt(stack).status_code == 200


def test_a_verification_without_backend_is_said(stack: Stack, link: FaultyLink) -> None:
    with link.broken(Fault(operation("GetItem"), error=(400, "ThrottlingException"))):
        answer = stack.call("GET", "/proofs/0f0e0d0c-0b0a-4908-8706-050403020100")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
