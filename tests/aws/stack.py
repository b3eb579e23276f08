"""The real template, deployed into a local AWS with the functions that cargo built."""

import atexit
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import boto3
import requests
from botocore.config import Config
from requests.adapters import HTTPAdapter

import template
from ministack import REGION, Ministack

EXAMPLE_NAMES = ("credlink-inboxbucket-1a2b3c4d5e6f", "credlink-ProofTable-1A2B3C4D5E6F", "a1b2c3d4e5", "eu-central-1")
"""How inbox, table, API and region are called in the folder `events`."""

MAX_DEPLOY_SECONDS = 300.0

DEADLINE = 60.0
"""The longest that one call may take, in seconds."""


@dataclass
class Stack:
    """A deployed stack: its outputs, clients of the AWS it is in, and calls of its API."""

    aws: Ministack
    name: str
    outputs: dict[str, str]
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers["Host"] = f"{self.outputs['ApiId']}.execute-api.localhost:{self.aws.port}"
        self.session.mount("http://", HTTPAdapter(pool_maxsize=32))

    @property
    def url(self) -> str:
        """What the API's paths follow after, such as `/sign`."""
        return f"{self.aws.endpoint}/{self.outputs['StageName']}"

    def call(self, method: str, path: str, **arguments) -> requests.Response:
        """A request to the API as `requests` makes it; redirections are handed out, not followed."""
        arguments = {"timeout": DEADLINE, "allow_redirects": False} | arguments
        return self.session.request(method, f"{self.url}{path}", **arguments)

    def client(self, service: str):
        """A client of boto3 for a service of the AWS that the stack is in."""
        return client(self.aws, service)

    @cached_property
    def functions(self) -> dict[str, str]:
        """The deployed name of each function, by the name of its binary."""
        return {binary: self.physical_id(name) for name, binary in template.functions(template.load()).items()}

    def physical_id(self, logical_id: str) -> str:
        """What a resource of the template is called in the AWS."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def invoke(self, binary: str, event: object) -> tuple[object, str | None]:
        """Calls a function and waits: what it answers, and what kind of error that is, if it is one."""
        answer = self.client("lambda").invoke(FunctionName=self.functions[binary], Payload=json.dumps(event).encode())
        return json.loads(answer["Payload"].read() or b"null"), answer.get("FunctionError")

    def event(self, name: str) -> dict | list:
        """An event of the folder `events`, such as `auto_sign.json`, as if it had happened to this stack."""
        text = (template.ROOT / "events" / name).read_text()
        own = (self.outputs["InboxBucketName"], self.outputs["ProofTableName"], self.outputs["ApiId"], REGION)
        for example, ours in zip(EXAMPLE_NAMES, own, strict=True):
            text = text.replace(example, ours)
        return json.loads(text)

    def environment(self, binary: str) -> dict[str, str]:
        """The environment that a function runs in, credentials included."""
        found = self.client("lambda").get_function_configuration(FunctionName=self.functions[binary])
        return self.aws.environment() | found["Environment"]["Variables"]

    def logs(self, binary: str) -> list[str]:
        """The lines that a function logged, oldest first."""
        pages = self.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=f"/aws/lambda/{self.functions[binary]}")
        return [event["message"] for page in found for event in page["events"]]


def client(aws: Ministack, service: str):
    """A client of boto3 for a service of a local AWS."""
    return boto3.client(
        service,
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=DEADLINE),
    )


def deploy(aws: Ministack, folder: Path, name: str, programs: Path, **parameters: str) -> Stack:
    """Deploys the template as `name` with `sam deploy`, as `make deploy` does it for an account.

    `programs` is the folder with the functions' binaries; what is deployed are packages of copies without debugging
    information. `parameters` are the template's; those that a local AWS needs are added. `folder` is for what is
    written on the way.
    """
    assembled = _assemble(folder, _packages(programs), aws.enforces_policies)
    chosen = {"AwsEndpointUrl": aws.endpoint, "Architecture": _architecture()} | parameters
    done = subprocess.run(
        [
            *(template.ROOT / ".tools/aws/bin/sam", "deploy", "--template-file", assembled, "--stack-name", name),
            *("--resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--region", REGION),
            *("--parameter-overrides", *(f"{key}={value}" for key, value in chosen.items())),
        ],
        cwd=folder,
        env=aws.environment() | {"SAM_CLI_TELEMETRY": "0", "HOME": str(folder)},
        capture_output=True,
        timeout=MAX_DEPLOY_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"sam deploy failed: {_reasons(done.stdout + done.stderr)}")
    stack = _stack(aws, name)
    _let_proofs_expire(stack)
    return stack


def _reasons(output: bytes) -> str:
    """What `sam` said, without its progress."""
    lines = [line for line in re.split(r"[\r\n]+", output.decode()) if line.strip()]
    told = [line for line in lines if not re.search(r"Uploading to|File with same data|^\s*-+\s*$", line)]
    return "\n".join(told)[-6000:]


def _stack(aws: Ministack, name: str) -> Stack:
    (described,) = client(aws, "cloudformation").describe_stacks(StackName=name)["Stacks"]
    return Stack(aws, name, {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]})


def _let_proofs_expire(stack: Stack) -> None:
    """The local AWS takes expiry for a table from a call, but not from a template."""
    table = template.load()["Resources"]["ProofTable"]["Properties"]
    stack.client("dynamodb").update_time_to_live(
        TableName=stack.outputs["ProofTableName"], TimeToLiveSpecification=table["TimeToLiveSpecification"]
    )


def programs_folder() -> Path:
    """Where `cargo build` puts the functions; `CREDLINK_FUNCTIONS` names another folder."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", template.ROOT / "target"))
    return template.ROOT / os.environ.get("CREDLINK_FUNCTIONS", target / "debug")


def _architecture() -> str:
    return {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")


def _assemble(folder: Path, packages: Path, enforces_policies: bool) -> Path:
    """What `sam build` would make: the template with the package of each function in place of its source."""
    assembled = template.load()
    del assembled["Globals"]["Function"]["CodeUri"]
    if enforces_policies:
        _leave_out_unknown_conditions(assembled)
    for name, binary in template.functions(assembled).items():
        function = assembled["Resources"][name]
        del function["Metadata"]
        function["Properties"]["CodeUri"] = str(packages / f"{binary}.zip")
    path = folder / "template.json"
    path.write_text(json.dumps(assembled))
    return path


@cache
def _packages(programs: Path) -> Path:
    """A folder with each binary as Lambda takes it; made once, and gone when all tests have ended."""
    folder = Path(tempfile.mkdtemp(prefix="credlink-packages-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for binary in template.functions(template.load()).values():
        bootstrap = folder / binary / "bootstrap"
        bootstrap.parent.mkdir()
        _copy_without_debugging_information(programs / binary, bootstrap)
        with ZipFile(folder / f"{binary}.zip", "w", ZIP_DEFLATED, compresslevel=1) as package:
            package.write(bootstrap, bootstrap.name)
    return folder


def _leave_out_unknown_conditions(assembled: dict) -> None:
    """The local AWS speaks no TLS, and where it enforces policies it does not know the conditions of KMS."""
    for name, resource in [*assembled["Resources"].items()]:
        document = resource["Properties"].get("PolicyDocument", {})
        if "aws:SecureTransport" in json.dumps(document):
            document["Statement"] = [one for one in document["Statement"] if one["Sid"] != "TlsOnly"]
            if not document["Statement"]:
                del assembled["Resources"][name]
    for _, statement in template.statements(assembled):
        if statement["Action"].startswith("kms:"):
            statement.pop("Condition", None)


def _copy_without_debugging_information(program: Path, copy: Path) -> None:
    if not program.exists():
        raise FileNotFoundError(f"{program} is not there; run `cargo build --workspace --all-targets`")
    if program.read_bytes()[:4] == b"\x7fELF":
        subprocess.run(["strip", "-o", copy, program], check=True)
    else:
        shutil.copyfile(program, copy)
    copy.chmod(0o755)
