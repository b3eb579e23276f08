"""Proofs that expire, and what is left of them."""

import json
import time

from stack import Stack
from proofs import is_proof_deleted, stored
from test_auto_sign import until
from test_images import sign, small


def proof_id(answer: object) -> str:
    """The id of the proof that an answer names."""
    return answer.headers["X-Proof-Uri"].rpartition("/")[2]


def removal(stack: Stack, name: str, *, by_expiry: bool) -> dict:
    """The stream's record of a removed proof, as DynamoDB writes it."""
    item = stack.client("dynamodb").get_item(
        TableName=stack.outputs["ProofTableName"], Key={"pk": {"S": f"proof#{name}"}, "sk": {"S": "record"}}
    )["Item"]
    record = {
        "eventID": "c81e728d9d4c2f636f067f89cc14862c",
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_769_847_330,
            "Keys": {"pk": item["pk"], "sk": item["sk"]},
            "OldImage": item,
            "SequenceNumber": "4421584500000000017450439092",
            "SizeBytes": 900,
            "StreamViewType": "OLD_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/credlink/stream/2026-01-31T08:15:30.000",
    }
    if by_expiry:
        record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    return {"Records": [record]}


def delete_record(stack: Stack, name: str) -> None:
    """Deletes nothing but the record, as expiry does."""
    stack.client("dynamodb").delete_item(
        TableName=stack.outputs["ProofTableName"], Key={"pk": {"S": f"proof#{name}"}, "sk": {"S": "record"}}
    )


def test_what_a_removed_proof_owned_goes_too(stack: Stack) -> None:
    name = proof_id(sign(stack, small("png"), "image/png"))
    assert name in stored(stack).records
    delete_record(stack, name)
    until(lambda: is_proof_deleted(stack, name), "the stream's function to remove what was left")


def test_expiry_removes_what_the_proof_owned(stack: Stack) -> None:
    name = proof_id(sign(stack, small("png"), "image/png"))
    event = removal(stack, name, by_expiry=True)
    delete_record(stack, name)
    for _ in range(2):
        answer, error = stack.invoke("reap_blobs", event)
        assert error is None, answer
        assert answer == {"batchItemFailures": []}
        assert is_proof_deleted(stack, name)


def test_an_expired_proof_is_not_found_before_it_is_removed(stack: Stack) -> None:
    signed = sign(stack, small("jpeg"))
    name, table = proof_id(signed), stack.outputs["ProofTableName"]
    dynamodb = stack.client("dynamodb")
    key = {"pk": {"S": f"proof#{name}"}, "sk": {"S": "record"}}
    record = json.loads(dynamodb.get_item(TableName=table, Key=key)["Item"]["record"]["S"])
    record["expiresAt"] = "2026-01-01T00:00:00.000Z"
    dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET #record = :record",
        ExpressionAttributeNames={"#record": "record"},
        ExpressionAttributeValues={":record": {"S": json.dumps(record)}},
    )
    for accept in ("application/json", "application/c2pa"):
        answer = stack.call("GET", f"/proofs/{name}", headers={"Accept": accept})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "PROOF_NOT_FOUND")
    page = stack.call("GET", f"/proofs/{name}", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert record["imageHash"] not in page.text
    report = stack.call("POST", "/verify", data=signed.content, headers={"Content-Type": "image/jpeg"}).json()
    assert report["details"]["hasProofUri"]
    assert not report["details"]["proofFound"]


def test_the_scheduled_functions_run(stack: Stack) -> None:
    for binary in ("cleanup_proofs", "rotate_certificate", "health_metrics"):
        answer, error = stack.invoke(binary, {})
        assert error is None, (binary, answer)
    stored(stack).assert_whole()


def test_health_is_measured(stack: Stack) -> None:
    stack.invoke("health_metrics", {})
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in stack.logs("health_metrics") if '"_aws"' in line]
        if lines:
            break
        time.sleep(0.2)
    metrics = lines[-1]
    assert metrics["SignerHealthy"] == metrics["ProofsHealthy"] == 1.0
    assert 80 < metrics["DaysToCertificateExpiry"] < 400
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "CredLink"
