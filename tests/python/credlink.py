"""Driving the built program: as a command and as a service."""

import base64
import json
import os
import re
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from queue import Empty, LifoQueue
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from containers import media_type

ROOT = Path(__file__).resolve().parents[2]

ALGORITHMS = ("rsa-2048", "rsa-4096", "p-256", "p-384", "ed25519")

COSE_NAMES = {"rsa-2048": "ps256", "rsa-4096": "ps256", "p-256": "es256", "p-384": "es384", "ed25519": "ed25519"}

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"

UNLIMITED = {"RATE_LIMIT_MAX": "0", "SIGN_RATE_LIMIT_MAX": "0"}
"""Tests ask more often than a client may."""

DEADLINE = 30.0
"""The longest that anything may take, in seconds."""


def binary() -> Path:
    """The program under test."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = Path(os.environ.get("CREDLINK_BIN", target / "debug" / "credlink"))
    path = path if path.is_absolute() else ROOT / path
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there; run `cargo build -p credlink` or set CREDLINK_BIN")
    return path


def run(*arguments: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None, cwd: Path | None = None):
    """Runs a command to its end; the result has `returncode`, and `stdout` and `stderr` as bytes."""
    return subprocess.run(
        [binary(), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=DEADLINE,
        env=clean_environment() | (env or {}),
        cwd=cwd,
        check=False,
    )


def clean_environment() -> dict[str, str]:
    """The environment without what would configure the program."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ}


def make_keys(data: Path, algorithm: str) -> None:
    """Makes a new certificate chain and key in a data folder."""
    done = run("keys", "init", "--algorithm", algorithm, "--data", data)
    assert done.returncode == 0, done.stderr.decode()


@dataclass
class Service:
    """A running `credlink serve`."""

    process: subprocess.Popen
    url: str
    data: Path
    log: Path

    def __post_init__(self) -> None:
        self.session = requests.Session()
        self.session.mount("http://", HTTPAdapter(pool_maxsize=32))
        self._connections: LifoQueue[HTTPConnection] = LifoQueue()

    @property
    def root_pem(self) -> str:
        """The trust anchor to hand to other validators."""
        return (self.data / "keys" / "root.pem").read_text()

    def post_sign(self, image: bytes | None, *, name: str = "image.bin", kind: str | None = None, **fields: str):
        """`POST /sign` as a form; the whole response."""
        form: list = [(key, (None, value)) for key, value in fields.items()]
        if image is not None:
            form.append(("image", (name, image, kind or "application/octet-stream")))
        return self.session.post(f"{self.url}/sign", files=form, timeout=DEADLINE)

    def sign(self, image: bytes, **fields: str) -> bytes:
        """The signed image."""
        response = self.post_sign(image, kind=media_type(image), **fields)
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == media_type(image)
        return response.content

    def post_verify(self, image: bytes, kind: str = "image/jpeg"):
        """`POST /verify` with the image as body; the whole response."""
        headers = {"Content-Type": kind}
        return self.session.post(f"{self.url}/verify", data=image, headers=headers, timeout=DEADLINE)

    def verify(self, image: bytes) -> dict:
        """The report."""
        response = self.post_verify(image, media_type(image))
        assert response.status_code == 200, response.text
        return response.json()

    def verify_quickly(self, image: bytes, kind: str) -> tuple[int, dict]:
        """Status and JSON of `POST /verify`, with as little work on this side as can be: for thousands of them."""
        try:
            return self._verify_over(self._connections.get_nowait(), image, kind)
        except (Empty, OSError, HTTPException):
            # None is left, or the service closed an idle one.
            address = urlsplit(self.url)
            return self._verify_over(HTTPConnection(address.hostname, address.port, timeout=DEADLINE), image, kind)

    def _verify_over(self, connection: HTTPConnection, image: bytes, kind: str) -> tuple[int, dict]:
        try:
            connection.request("POST", "/verify", body=image, headers={"Content-Type": kind})
            response = connection.getresponse()
            answer = response.status, json.loads(response.read())
        except BaseException:
            connection.close()
            raise
        self._connections.put(connection)
        return answer

    def proof_files(self) -> dict[str, int]:
        """Everything under the proof folder, with its length."""
        folder = self.data / "proofs"
        return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}

    def is_alive(self) -> bool:
        """Whether the process lives and answers."""
        return self.process.poll() is None and self.session.get(f"{self.url}/health", timeout=DEADLINE).ok

    def stop(self) -> int:
        """Asks the service to end; its exit status."""
        self.session.close()
        while not self._connections.empty():
            self._connections.get_nowait().close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()


def start(data: Path, log: Path, listen: str = "127.0.0.1:0", **env: str) -> Service:
    """Starts the service, on a free port if nothing else is wanted, and waits until it says where."""
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [binary(), "serve", "--listen", listen, "--data", str(data)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=clean_environment() | UNLIMITED | env,
        )
    line = _first_line(process)
    url = re.search(r"https?://[^\s\"]+", line)
    if url is None:
        process.kill()
        process.wait()
        raise AssertionError(f"the service named no URL, but said {line!r}\n{log.read_text()[-4000:]}")
    return Service(process, url.group().rstrip("/"), data, log)


def _first_line(process: subprocess.Popen) -> str:
    deadline = time.monotonic() + DEADLINE
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
            if selector.select(left):
                piece = os.read(process.stdout.fileno(), 1)
                if not piece:
                    break
                line += piece
    return line.decode()


def assertion(report_or_manifest: dict, label: str) -> dict | None:
    """The data of the first assertion with this label in a manifest as JSON."""
    for entry in report_or_manifest["assertions"]:
        if entry["label"] == label:
            return entry["data"]
    return None


def as_bytes(value: object) -> bytes:
    """Bytes out of JSON: a list of numbers, or base64."""
    return bytes(value) if isinstance(value, list) else base64.b64decode(value)
