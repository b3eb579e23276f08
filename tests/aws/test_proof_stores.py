"""The service keeps its proofs where it is told to: on one machine, and in a deployed stack."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import credlink
import images
import ministack
import signing
from conftest import STACK_NAME, UNLIMITED
from ministack import REGION, Ministack
from stack import Stack, client, deploy, programs_folder

BUCKET = "proofs-of-one-machine"

SECRET = "not-to-be-shown"


def picture() -> bytes:
    return images.saved(images.scene(320, 200), "JPEG")


def reach(aws: Ministack) -> dict[str, str]:
    """What a program on this machine needs to reach the local AWS."""
    return {name: value for name, value in aws.environment().items() if name.startswith("AWS_")}


@pytest.fixture(params=["s3", "postgres"])
def chosen(request: pytest.FixtureRequest, aws: Ministack) -> dict[str, str]:
    """The choice of a store, as variables."""
    if request.param == "postgres":
        return {"PROOF_STORE": "postgres", "PROOF_DATABASE_URL": request.getfixturevalue("database")}
    client(aws, "s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return {"PROOF_STORE": f"s3:{BUCKET}/of/us"} | reach(aws)


def job(data: Path, name: str, env: dict[str, str]) -> dict:
    """What a run of a job counted."""
    done = credlink.run("jobs", "run", name, "--json", "--data", data, env=env)
    assert done.returncode == 0, (done.stdout.decode(), done.stderr.decode())
    return json.loads(done.stdout)["counts"]


def test_a_service_on_one_machine_keeps_its_proofs_there(tmp_path: Path, chosen: dict[str, str]) -> None:
    data, settings = tmp_path / "data", chosen | {"ENABLE_JOB_SCHEDULER": "false"}
    credlink.make_keys(data, "p-256")
    service = credlink.start(data, tmp_path / "first.log", **settings)
    try:
        signed = service.sign(picture())
    finally:
        service.stop()

    again = credlink.start(data, tmp_path / "second.log", **settings)
    try:
        report = again.verify(signed)
        assert (report["valid"], report["confidence"]) == (True, 100), report
        assert again.session.get(f"{again.url}/health").json()["status"] == "ok"

        # Commands find the same proofs, and add to them.
        image, other = tmp_path / "signed.jpg", tmp_path / "other.jpg"
        image.write_bytes(picture())
        done = credlink.run("sign", image, "-o", other, "--json", "--data", data, env=settings)
        assert done.returncode == 0, done.stderr.decode()
        found = again.session.get(f"{again.url}/proofs/{json.loads(done.stdout)['id']}")
        assert found.status_code == 200
        image.write_bytes(signed)
        assert credlink.run("verify", image, "--data", data, env=settings).returncode == 0
    finally:
        again.stop()

    cleaned = job(data, "proof-cleanup", settings)
    assert (cleaned["finished"], cleaned["proofsKept"], cleaned["expiredProofsRemoved"]) == (True, 2, 0)
    assert job(data, "proof-restamp", settings)["proofsSeen"] == 2
    job(data, "health-metrics", settings)
    assert not (data / "proofs").exists()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"PROOF_STORE": "disk"}, "is no kind of store"),
        ({"PROOF_STORE": "s3"}, "PROOF_BUCKET"),
        ({"PROOF_STORE": "s3:there-is-no-such-bucket"}, "NoSuchBucket"),
        ({"PROOF_STORE": "dynamodb:there-is-no-such-table/bucket"}, "ResourceNotFoundException"),
        ({"PROOF_STORE": f"postgres://me:{SECRET}@127.0.0.1:1/credlink"}, "postgres://me@127.0.0.1:1/credlink"),
        ({"PROOF_STORE": f"postgres://me:{SECRET}@/credlink"}, "the URL of the database"),
        ({"PROOF_STORE": "memory", "LOCAL_PROOF_STORAGE": "true"}, "leave one of the two out"),
    ],
    ids=lambda value: value["PROOF_STORE"].replace(SECRET, "") if isinstance(value, dict) else "",
)
def test_what_cannot_be_used_stops_the_start(
    tmp_path: Path, aws: Ministack, variables: dict[str, str], told: str
) -> None:
    arguments = ("serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data")
    done = credlink.run(*arguments, env=reach(aws) | {"LOG_LEVEL": "error"} | variables)
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (2, b"")
    assert line.startswith("credlink: ") and "PROOF_STORE" in line and told in line
    assert SECRET not in line


@pytest.fixture(scope="module")
def in_bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose proofs live in S3 alone, and whose functions may do only what their roles allow."""
    folder = tmp_path_factory.mktemp("in-bucket")
    running = ministack.start(folder, enforces_policies=True)
    keys = signing.make_keys(running)
    choices = {"SigningKeyArns": ",".join(keys.values()), "RotationAuthority": "internal", "ProofStore": "s3"}
    one = deploy(running, folder, STACK_NAME, programs_folder(), **(choices | UNLIMITED))
    signing.activate(one, keys["es256"], folder / "authority")
    yield one
    running.stop()


def kinds_in_table(stack: Stack) -> set[str]:
    """What the table holds, by the beginnings of its keys."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["ProofTableName"])
    return {item["pk"]["S"].partition("#")[0] for page in pages for item in page["Items"]}


def folders_in_bucket(stack: Stack) -> list[str]:
    """The folders of objects in the bucket of proofs, one for each object."""
    listed = stack.client("s3").list_objects_v2(Bucket=stack.outputs["BlobBucketName"]).get("Contents", [])
    return sorted("/".join(one["Key"].split("/")[:2]) for one in listed if one["Key"].startswith("proofs/"))


def test_a_deployed_stack_keeps_its_proofs_in_a_bucket(in_bucket: Stack) -> None:
    signed = in_bucket.call("POST", "/sign", files={"image": ("a.jpg", picture(), "image/jpeg")})
    assert signed.status_code == 200, signed.content[:500]
    report = in_bucket.call("POST", "/verify", data=signed.content, headers={"Content-Type": "image/jpeg"}).json()
    assert (report["confidence"], report["state"]) == (100, "trusted")
    proof = signed.headers["X-Proof-Uri"].rpartition("/")[2]
    for kind in ("application/json", "application/c2pa", "text/html"):
        assert in_bucket.call("GET", f"/proofs/{proof}", headers={"Accept": kind}).status_code == 200
    assert in_bucket.call("GET", "/health").json()["status"] == "ok"
    assert folders_in_bucket(in_bucket) == ["proofs/images", "proofs/manifests", "proofs/records"]
    assert not {"proof", "image"} & kinds_in_table(in_bucket)


def test_jobs_of_a_deployed_stack_find_them_there(in_bucket: Stack) -> None:
    for function in ("cleanup_proofs", "restamp_proofs", "health_metrics"):
        answer, failure = in_bucket.invoke(function, in_bucket.event(f"{function}.json"))
        assert failure is None, answer
        if function == "cleanup_proofs":
            counts = answer["counts"]
            assert (counts["finished"], counts["proofsKept"]) == (True, 1)


def test_an_image_goes_from_the_inbox_into_the_outbox(in_bucket: Stack) -> None:
    key = "news/2024/Café am Hafen 1+1.jpg"
    s3 = in_bucket.client("s3")
    s3.put_object(Bucket=in_bucket.outputs["InboxBucketName"], Key=key, Body=picture())
    answer, failure = in_bucket.invoke("auto_sign", in_bucket.event("auto_sign.json"))
    assert failure is None, answer
    assert s3.head_object(Bucket=in_bucket.outputs["OutboxBucketName"], Key=key)["Metadata"]["proof-uri"]
    assert "proofs/records" in folders_in_bucket(in_bucket)


def test_nothing_was_denied(in_bucket: Stack) -> None:
    """Stands last: some failures are only logged."""
    for function in in_bucket.functions:
        denied = [line for line in in_bucket.logs(function) if "AccessDenied" in line or "not authorized" in line]
        assert denied == [], function
