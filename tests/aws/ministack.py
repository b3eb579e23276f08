"""A local AWS on loopback, as a process of its own that ends with this one."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from template import ROOT

REGION = "eu-central-1"

ACCOUNT = "000000000000"

MAX_START_SECONDS = 60.0


@dataclass
class Ministack:
    """A local AWS that runs."""

    process: subprocess.Popen
    port: int
    log: Path
    enforces_policies: bool = False

    @property
    def endpoint(self) -> str:
        """The URL for all services."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to find this AWS and not the real one."""
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
        return kept | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stop(self) -> None:
        """Ends it and the functions that it runs. They may not listen to anything softer."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()


def start(folder: Path, enforces_policies: bool = False) -> Ministack:
    """Starts a local AWS. The calls of tests may do everything; those of functions what their roles allow, if policies
    are enforced."""
    program = ROOT / ".tools/aws/bin/ministack"
    if not program.exists():
        raise FileNotFoundError(f"{program} is not there; run `make .tools/aws/installed`")
    port, log = _free_port(), folder / "ministack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            # The shell reads until this process has gone, however that happens, then ends the whole group.
            ["sh", "-c", '"$0" <&- & cat >/dev/null; kill -9 0', program],
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
            | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "IOT_MTLS_ENABLED": "0"}
            | {"MINISTACK_REGION": REGION, "TMPDIR": str(folder), "AUTH": str(enforces_policies).lower()},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    running = Ministack(process, port, log, enforces_policies)
    _wait_until_ready(running)
    return running


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(running: Ministack) -> None:
    deadline = time.monotonic() + MAX_START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{running.endpoint}/_ministack/health", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    running.stop()
    raise TimeoutError(f"the local AWS does not answer; its log: {running.log.read_text()[-2000:]}")
