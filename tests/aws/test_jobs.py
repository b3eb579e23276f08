"""Jobs as functions: the same state, history and commands as on one machine."""

import json
import subprocess

import pytest

import credlink
from stack import DEADLINE, Stack

FUNCTIONS = {
    "cleanup_proofs": "proof-cleanup",
    "restamp_proofs": "proof-restamp",
    "health_metrics": "health-metrics",
}
"""Functions that run a job, and which."""


def command(stack: Stack, *arguments: str) -> subprocess.CompletedProcess:
    """A `jobs` command about the stack, as a person calls it."""
    return subprocess.run(
        [credlink.binary(), "jobs", *arguments, "--table", stack.outputs["ProofTableName"], "--json"],
        env=stack.aws.environment() | {"AWS_ENDPOINT_URL": stack.aws.endpoint},
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )


def told(stack: Stack, *arguments: str, status: int = 0) -> dict:
    """What it tells."""
    done = command(stack, *arguments)
    assert done.returncode == status, (done.stdout.decode(), done.stderr.decode())
    return json.loads(done.stdout)


def state(stack: Stack, job: str) -> dict:
    """The state of a job, as it stands in the table."""
    key = {"pk": {"S": f"job#{job}"}, "sk": {"S": "state"}}
    found = stack.client("dynamodb").get_item(
        TableName=stack.outputs["ProofTableName"], Key=key, ConsistentRead=True
    )
    return json.loads(found["Item"]["state"]["S"])


def metric_lines(stack: Stack, binary: str) -> list[dict]:
    """What a function wrote for CloudWatch to count."""
    lines = [json.loads(line) for line in stack.logs(binary) if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_runs_its_job_and_writes_down_how_it_went(stack: Stack, function: str) -> None:
    job = FUNCTIONS[function]
    answer, failure = stack.invoke(function, stack.event(f"{function}.json"))
    assert failure is None, answer
    assert (answer["job"], answer["result"]) == (job, "done")
    kept = state(stack, job)
    assert kept["function"] == stack.functions[function]
    assert "lease" not in kept
    assert (kept["runs"][0]["result"], kept["runs"][0]["trigger"]) == ("done", "schedule")


def test_a_disabled_job_says_so_and_is_no_failure(stack: Stack) -> None:
    assert told(stack, "disable", "proof-cleanup") == {"job": "proof-cleanup", "enabled": False}
    try:
        answer, failure = stack.invoke("cleanup_proofs", stack.event("cleanup_proofs.json"))
        assert (answer["skipped"], failure) == ("disabled", None)
        runs = len(state(stack, "proof-cleanup")["runs"])
        (listed,) = [job for job in told(stack, "list")["jobs"] if job["name"] == "proof-cleanup"]
        assert (listed["enabled"], listed["function"]) == (False, stack.functions["cleanup_proofs"])
        assert told(stack, "run", "proof-cleanup", status=1)["skipped"] == "disabled"
        assert told(stack, "run", "proof-cleanup", "--force", "--dry-run")["dryRun"] is True
        assert len(state(stack, "proof-cleanup")["runs"]) == runs + 1
    finally:
        assert told(stack, "enable", "proof-cleanup")["enabled"] is True


def test_a_command_lets_the_function_run_the_job(stack: Stack) -> None:
    stack.invoke("health_metrics", stack.event("health_metrics.json"))
    report = told(stack, "run", "health-metrics")
    assert (report["result"], report["counts"]["signer_healthy"]) == ("done", 1)
    history = told(stack, "history", "health-metrics")
    assert (history["runs"][0]["trigger"], history["runs"][0]["result"]) == ("command", "done")


def test_a_job_that_never_ran_has_no_function_yet(stack: Stack) -> None:
    key = {"pk": {"S": "job#proof-restamp"}, "sk": {"S": "state"}}
    stack.client("dynamodb").delete_item(TableName=stack.outputs["ProofTableName"], Key=key)
    done = command(stack, "run", "proof-restamp")
    assert done.returncode == 2
    assert "--function" in done.stderr.decode()


def test_a_state_by_hand_fails_its_own_job_with_its_place(stack: Stack) -> None:
    table, key = stack.outputs["ProofTableName"], {"pk": {"S": "job#proof-cleanup"}, "sk": {"S": "state"}}
    stack.invoke("cleanup_proofs", stack.event("cleanup_proofs.json"))
    before = stack.client("dynamodb").get_item(TableName=table, Key=key)["Item"]
    try:
        stack.client("dynamodb").put_item(TableName=table, Item=before | {"state": {"S": '{"schema": 7}'}})
        answer, failure = stack.invoke("cleanup_proofs", stack.event("cleanup_proofs.json"))
        assert failure is not None
        assert "pk=job#proof-cleanup" in answer["errorMessage"] and "newer program" in answer["errorMessage"]
        answer, failure = stack.invoke("health_metrics", stack.event("health_metrics.json"))
        assert (answer["result"], failure) == ("done", None)
    finally:
        stack.client("dynamodb").put_item(TableName=table, Item=before)


def test_what_is_measured_reaches_cloudwatch(stack: Stack) -> None:
    stack.invoke("cleanup_proofs", stack.event("cleanup_proofs.json"))
    stack.invoke("health_metrics", stack.event("health_metrics.json"))
    found: dict[str, dict] = {}
    for line in metric_lines(stack, "health_metrics") + metric_lines(stack, "cleanup_proofs"):
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "CredLink"
        (dimensions,) = directive["Dimensions"]
        assert all(isinstance(line[name], str) for name in dimensions)
        found |= {metric["Name"]: line for metric in directive["Metrics"]}
    for name in (
        *("job_executions_total", "job_execution_duration_seconds", "job_last_run_success", "dead_letters"),
        *("certificate_days_left", "proofs_stored", "proof_storage_size_bytes", "DaysToCertificateExpiry"),
        *("FailuresWaiting", "SignerHealthy", "ProofsHealthy", "ExpiredProofsRemoved"),
    ):
        assert name in found, name
    assert found["job_executions_total"]["status"] in ("success", "skipped", "failure")
    assert found["certificate_days_left"]["certificate_days_left"] > 80


def test_an_event_that_wants_something_else_is_refused(stack: Stack) -> None:
    answer, failure = stack.invoke("cleanup_proofs", {"dryRun": "perhaps"})
    assert failure is not None and "dryRun" in answer["errorMessage"]
