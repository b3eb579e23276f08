"""Runs one function once under Lambda's runtime interface emulator: `make invoke FN=sign EVENT=events/sign.json`.

Everything around it is there: a local AWS with the deployed stack, a signer, and, where the event speaks of an object
in the inbox, that object. The answer goes to standard output, the function's log to standard error.
"""

import base64
import json
import sys
import tempfile
from pathlib import Path

import ministack
import runtime_emulator
import signing
from stack import Stack, deploy, programs_folder
from template import ROOT


def main(binary: str, event_file: Path) -> None:
    """Prepares, runs and prints."""
    name = event_file.resolve().relative_to(ROOT / "events").as_posix()
    with tempfile.TemporaryDirectory(prefix="credlink-invoke-") as folder:
        aws = ministack.start(Path(folder))
        try:
            answer = _run(aws, Path(folder), binary, name)
        finally:
            aws.stop()
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def _run(aws: ministack.Ministack, folder: Path, binary: str, name: str) -> object:
    keys = signing.make_keys(aws)
    stack = deploy(aws, folder, "credlink", programs_folder(), SigningKeyArns=",".join(keys.values()))
    signing.activate(stack, keys["ps256"], folder / "authority")
    event = stack.event(name)
    _put_what_it_speaks_of(stack, event)
    log = folder / "function.log"
    try:
        environment = stack.environment(binary) | {"AWS_LAMBDA_FUNCTION_NAME": stack.functions[binary]}
        return runtime_emulator.invoke(programs_folder() / binary, json.dumps(event).encode(), environment, log)
    finally:
        print(log.read_text() if log.exists() else "", file=sys.stderr)


def _put_what_it_speaks_of(stack: Stack, event: object) -> None:
    detail = event.get("detail") if isinstance(event, dict) else None
    if not isinstance(detail, dict) or "gone" in json.dumps(event):
        return
    stack.client("s3").put_object(
        Bucket=stack.outputs["InboxBucketName"],
        Key=detail["object"]["key"],
        Body=base64.b64decode(stack.event("verify.json")["body"]),
        ContentType="image/jpeg",
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: make invoke FN=sign EVENT=events/sign.json")
    main(sys.argv[1], Path(sys.argv[2]))
