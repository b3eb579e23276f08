"""The signing key replaces itself: in a stack in which nobody signs yet, and in one whose certificates come from elsewhere."""

import json
import subprocess
import time
from pathlib import Path

import pytest

import credlink
from faulty_link import FaultyLink
from ministack import Ministack
from stack import Stack, deploy, programs_folder
from test_images import sign, small
from validators import assert_valid

DEADLINE = 60.0
"""The longest that functions may take to follow a rotation, in seconds. They look every 30."""

SUBJECT = "/O=Example Trust Services/CN=Example Root"

EXTENSIONS = """basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=emailProtection,1.3.6.1.4.1.62558.2.1
authorityKeyIdentifier=keyid
subjectKeyIdentifier=hash
"""


@pytest.fixture(scope="module")
def rotating(aws: Ministack, link: FaultyLink, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack in which nobody signs, and whose rotations make small keys."""
    folder = tmp_path_factory.mktemp("rotating")
    chosen = {"SigningKeySpec": "ECC_NIST_P256", "AccessLog": "off"}
    return deploy(aws, folder, "credlink-rotating", programs_folder(), AwsEndpointUrl=link.url, **chosen)


@pytest.fixture(scope="module")
def messages(rotating: Stack) -> str:
    """The URL of a queue that hears what people are told."""
    sqs, sns = rotating.client("sqs"), rotating.client("sns")
    url = sqs.create_queue(QueueName="credlink-rotating-told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=rotating.outputs["AlarmTopicArn"], Protocol="sqs", Endpoint=arn)
    return url


def rotate(stack: Stack, **event: object) -> dict:
    """Runs the function; what it says of the rotation."""
    answer, failure = stack.invoke("rotate_certificate", event or stack.event("rotate_certificate.json"))
    assert failure is None and answer["result"] == "done", answer
    return answer["counts"]


def active(stack: Stack) -> dict:
    """The record of who signs."""
    key = {"pk": {"S": "signer"}, "sk": {"S": "active"}}
    found = stack.client("dynamodb").get_item(TableName=stack.outputs["ProofTableName"], Key=key)
    return found["Item"]


def certificate(stack: Stack, signed: bytes) -> str:
    """The serial number of the certificate that an image is signed with; the image must be trusted."""
    report = stack.call("POST", "/verify", data=signed, headers={"Content-Type": "image/jpeg"}).json()
    assert (report["valid"], report["state"]) == (True, "trusted"), report["status"]
    return report["certificate"]["serialNumber"]


def told(stack: Stack, queue: str) -> list[dict]:
    """What people were told since the last time."""
    found = stack.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2)
    return [json.loads(message["Body"]) for message in found.get("Messages", [])]


def test_a_new_stack_gets_a_signer_and_follows_the_next_one(rotating: Stack, messages: str) -> None:
    first = rotate(rotating)
    assert (first["outcome"], first["from"], first["to"]["version"]) == ("rotated", None, "1")
    (message,) = told(rotating, messages)
    assert "the signing key was replaced" in message["Subject"]
    assert first["to"]["leaf"]["serialNumber"] in message["Message"]

    before = sign(rotating, small("jpeg")).content
    assert certificate(rotating, before) == first["to"]["leaf"]["serialNumber"]
    assert rotate(rotating)["outcome"] == "not-due"

    second = rotate(rotating, force=True)
    assert (second["from"]["version"], second["to"]["version"]) == ("1", "2")
    assert second["from"]["key"] != second["to"]["key"]
    after = until_signed_with(rotating, second["to"]["leaf"]["serialNumber"])
    root = active(rotating)["anchors"]["S"]
    for image in (before, after):
        assert_valid(image, root)
        certificate(rotating, image)


def until_signed_with(stack: Stack, serial_number: str) -> bytes:
    """An image that is signed with the certificate, once the functions follow."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        signed = sign(stack, small("jpeg")).content
        if certificate(stack, signed) == serial_number:
            return signed
        time.sleep(0.5)
    raise TimeoutError(f"nobody signs with {serial_number}")


def test_what_a_run_did_is_measured(rotating: Stack) -> None:
    rotate(rotating)
    lines = [json.loads(line) for line in rotating.logs("rotate_certificate") if line.startswith('{"_aws"')]
    last = lines[-1]
    assert (last["RotationsDone"], last["RotationWaiting"]) == (0.0, 0.0)
    assert 364 <= last["DaysToCertificateExpiry"] <= 365


def test_keys_carry_the_name_of_their_stack(rotating: Stack) -> None:
    kms = rotating.client("kms")
    tags = kms.list_resource_tags(KeyId=active(rotating)["keyArn"]["S"])["Tags"]
    assert {"TagKey": "credlink:stack", "TagValue": rotating.name} in tags


def test_the_command_line_goes_back_and_forth(rotating: Stack) -> None:
    table = ("--table", rotating.outputs["ProofTableName"])

    def keys(*arguments: str) -> dict | list:
        done = credlink.run("keys", *arguments, *table, "--json", env=rotating.aws.environment())
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    assert [entry["active"] for entry in keys("history")] == [True, False]
    assert keys("rollback")["to"]["version"] == "3"
    assert keys("rotate", "--force")["to"]["version"] == "4"
    assert [entry["active"] for entry in keys("history")] == [True, False, False, False]


def test_a_certificate_from_elsewhere_is_waited_for(
    aws: Ministack, link: FaultyLink, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    folder = tmp_path_factory.mktemp("external")
    chosen = {"SigningKeySpec": "ECC_NIST_P256", "AccessLog": "off", "RotationAuthority": "external"}
    stack = deploy(aws, folder, "credlink-external", programs_folder(), AwsEndpointUrl=link.url, **chosen)
    waiting = rotate(stack)
    assert waiting["outcome"] == "waiting"
    s3, bucket = stack.client("s3"), stack.outputs["BlobBucketName"]
    request = f"rotation/{waiting['rotation']}.csr.pem"
    (tmp_path / "request.pem").write_bytes(s3.get_object(Bucket=bucket, Key=request)["Body"].read())
    issue(tmp_path)
    files = ("--chain", tmp_path / "leaf.pem", "--root", tmp_path / "root.pem")
    done = credlink.run(
        "keys", "import", *files, "--table", stack.outputs["ProofTableName"], env=stack.aws.environment()
    )
    assert done.returncode == 0, done.stderr.decode()
    assert rotate(stack)["outcome"] in ("rotated", "not-due")
    assert_valid(sign(stack, small("jpeg")).content, (tmp_path / "root.pem").read_text())
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="rotation/")


def issue(folder: Path) -> None:
    """Makes an authority with OpenSSL, and a certificate for the request in `folder`."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)

    (folder / "extensions").write_text(EXTENSIONS)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "root.key")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-x509", *key, "-out", "root.pem", "-subj", SUBJECT, "-days", "3650", *usage)
    openssl("req", "-in", "request.pem", "-verify", "-noout")
    authority = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial")
    chosen = ("-days", "365", "-extfile", "extensions", "-out", "leaf.pem")
    openssl("x509", "-req", "-in", "request.pem", *authority, *chosen)
