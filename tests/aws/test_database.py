"""A deployed stack whose proofs live in a database."""

import uuid
from pathlib import Path

import pytest
import requests

import images
import processes
import signing
from conftest import UNLIMITED
from ministack import Ministack
from stack import Stack, deploy, programs_folder


@pytest.fixture(scope="module")
def in_database(
    aws: Ministack, signing_keys: dict[str, str], database: str, tmp_path_factory: pytest.TempPathFactory
) -> Stack:
    """A stack in which images can be signed."""
    folder = tmp_path_factory.mktemp("in-database")
    chosen = {"ProofStore": "postgres", "ProofDatabaseUrl": database, "SigningKeyArns": ",".join(signing_keys.values())}
    stack = deploy(aws, folder, "credlink-in-database", programs_folder(), **(chosen | UNLIMITED))
    signing.activate(stack, signing_keys["es256"], folder / "authority")
    return stack


@pytest.fixture(scope="module")
def signed(in_database: Stack) -> requests.Response:
    """The answer to an image."""
    picture = images.saved(images.scene(320, 200), "JPEG")
    answer = in_database.call("POST", "/sign", files={"image": ("picture.jpg", picture, "image/jpeg")})
    assert answer.status_code == 200, answer.text
    return answer


def test_its_proofs_live_there_alone(in_database: Stack, signed: requests.Response) -> None:
    proof = signed.headers["X-Proof-Uri"].rpartition("/")[2]
    # New instances know of it as well.
    for name in in_database.functions.values():
        processes.kill(name)
    for kind in ("application/json", "application/c2pa", "text/html"):
        assert in_database.call("GET", f"/proofs/{proof}", headers={"Accept": kind}).status_code == 200
    report = in_database.call("POST", "/verify", data=signed.content, headers={"Content-Type": "image/jpeg"}).json()
    assert (report["confidence"], report["state"]) == (100, "trusted")
    assert in_database.call("GET", "/health").json()["status"] == "ok"
    table = in_database.client("dynamodb").scan(TableName=in_database.outputs["ProofTableName"])
    assert proof not in str(table["Items"])


@pytest.mark.usefixtures("signed")
def test_its_jobs_find_them_there(in_database: Stack) -> None:
    for function in ("cleanup_proofs", "restamp_proofs", "health_metrics"):
        answer, failure = in_database.invoke(function, in_database.event(f"{function}.json"))
        assert failure is None, answer
        if function == "cleanup_proofs":
            assert (answer["counts"]["finished"], answer["counts"]["proofsKept"]) == (True, 1)


def test_without_the_database_functions_start_and_say_so(aws: Ministack, tmp_path: Path) -> None:
    url = "postgres://me:not-to-be-shown@127.0.0.1:1/credlink"
    chosen = {"ProofStore": "postgres", "ProofDatabaseUrl": url} | UNLIMITED
    stack = deploy(aws, tmp_path, "credlink-without-database", programs_folder(), **chosen)
    health = stack.call("GET", "/health")
    assert (health.status_code, health.json()["status"]) == (503, "degraded")
    proof = stack.call("GET", f"/proofs/{uuid.uuid4()}")
    assert (proof.status_code, proof.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "Retry-After" in proof.headers
    told = "\n".join(stack.logs("proofs"))
    assert "postgres://me@127.0.0.1:1/credlink" in told and "not-to-be-shown" not in told
