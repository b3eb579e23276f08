"""One function under Lambda's own runtime interface emulator, as the SAM command line brings it along."""

import json
import os
import platform
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from template import ROOT

MAX_START_SECONDS = 20.0

MAX_CALL_SECONDS = 120.0

MACHINES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def invoke(program: Path, event: bytes, environment: Mapping[str, str], log: Path) -> object:
    """Runs a function once and gives its answer; what it logs goes to `log`.

    The emulator takes one call at a time, so each call gets one of its own.
    """
    port, api = _free_port(), f"127.0.0.1:{_free_port()}"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                *(_emulator(), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
                *("--runtime-api-address", api, program.resolve()),
            ],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_open(process, port)
        url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        with urllib.request.urlopen(url, data=event, timeout=MAX_CALL_SECONDS) as answer:
            return json.loads(answer.read() or b"null")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _emulator() -> Path:
    name = f"aws-lambda-rie-{MACHINES[platform.machine()]}"
    found = [*(ROOT / ".tools/aws/lib").glob(f"python3.*/site-packages/samcli/local/rapid/{name}")]
    if not found:
        raise FileNotFoundError(f"{name} is not there; run `make .tools/aws/installed`")
    return found[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_open(process: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + MAX_START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the runtime interface emulator does not start")
