"""Sends generated requests, good and bad, to a running service, and checks every answer against its OpenAPI document.

As a program it starts the service twice, open to everybody and behind API keys, and prints what came of it:

    python fuzz_api.py --requests 20000
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import credlink
from containers import media_type
from credlink import DEADLINE, ROOT, Service
from images import corpus

HERE = Path(__file__).parent

SEED = 20260131

PATIENCE = 4 * 3600.0
"""How long one run of the program may take, in seconds."""

SAMPLES = ("jpeg-baseline", "jpeg-exif", "png-palette", "png-texts", "webp-lossy", "webp-lossless-alpha")


@dataclass
class Outcome:
    """How a run ended."""

    requests: int
    passed: bool
    report: str


def run(
    folder: Path, examples: int, *, guarded: bool, workers: int = 1, seed: int = SEED, limit: float = 600.0
) -> Outcome:
    """Starts a service with its data in `folder`, open or behind API keys, and asks each operation up to `examples` times
    beyond what schemathesis asks of itself. It fails after `limit` seconds."""
    data, material = folder / "data", folder / "material"
    data.mkdir()
    material.mkdir()
    credlink.make_keys(data, "p-256")
    service = credlink.start(data, folder / "service.log", ENABLE_API_KEY_AUTH=str(guarded).lower())
    headers = {"X-API-Key": _key(data)} if guarded else {}
    try:
        _prepare(service, material, headers)
        options = ("--max-examples", examples, "--workers", workers, "--seed", seed)
        return _fuzz(service, material, headers, options, limit)
    finally:
        service.stop()


def _key(data: Path) -> str:
    """A new API key for everything."""
    arguments = ("keys", "api", "create", "--name", "fuzz", "--scope", "sign,verify,admin", "--json", "--data", data)
    made = credlink.run(*arguments)
    assert made.returncode == 0, made.stderr.decode()
    return json.loads(made.stdout)["key"]


def _fuzz(service: Service, folder: Path, headers: dict[str, str], options: tuple, limit: float) -> Outcome:
    command = [
        *(Path(sys.executable).with_name("st"), "--config-file", HERE / "schemathesis.toml"),
        *("run", f"{service.url}/openapi.json", "--url", service.url),
        *map(str, options),
        *(part for name, value in headers.items() for part in ("--header", f"{name}:{value}")),
    ]
    environment = os.environ | {"CREDLINK_FUZZ_MATERIAL": str(folder), "PYTHONPATH": str(HERE), "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit, check=False
    )
    counted = re.search(r"([\d,]+) generated", done.stdout)
    requests = int(counted[1].replace(",", "")) if counted else 0
    return Outcome(requests, done.returncode == 0 and service.is_alive(), done.stdout + done.stderr)


def _prepare(service: Service, folder: Path, headers: dict[str, str]) -> None:
    """Puts real images and ids into the folder, and the document."""
    document = service.session.get(f"{service.url}/openapi.json", timeout=DEADLINE)
    (folder / "openapi.json").write_bytes(document.content)
    proofs, uploads = [], []
    for name in SAMPLES:
        image = corpus()[name]
        signed = service.session.post(
            f"{service.url}/sign", files={"image": image}, headers=headers, timeout=DEADLINE
        )
        assert signed.status_code == 200, signed.text
        proofs.append(signed.headers["X-Proof-Uri"].rsplit("/", 1)[1])
        (folder / f"image-{name}").write_bytes(image)
        (folder / f"image-{name}-signed").write_bytes(signed.content)
        uploads.append(_upload(service, image, headers))
    (folder / "proofs.json").write_text(json.dumps(proofs))
    (folder / "uploads.json").write_text(json.dumps(uploads))


def _upload(service: Service, image: bytes, headers: dict[str, str]) -> str:
    announced = {"contentType": media_type(image), "contentLength": len(image)}
    ticket = service.session.post(f"{service.url}/uploads", json=announced, headers=headers, timeout=DEADLINE).json()
    sent = service.session.put(ticket["url"], data=image, headers=ticket["headers"], timeout=DEADLINE)
    assert sent.status_code == 204, sent.text
    return ticket["uploadId"]


def main() -> int:
    """Runs it; 1 when an answer was not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000, help="how many at least, in both runs together")
    # With more, the parser of CPython before 3.11.8 fails now and then: it is not made for threads (gh-106905).
    parser.add_argument("--workers", type=int, default=1, help="how many at once")
    parser.add_argument("--seed", type=int, default=SEED, help="what is generated depends on")
    wanted = parser.parse_args()
    operations = sum(len(one) for one in json.loads((ROOT / "lib/service/openapi.json").read_bytes())["paths"].values())
    # One run in ten asks with a key; what is generated of itself comes on top.
    shares = {"open": wanted.requests * 9 // 10, "API keys": wanted.requests // 10}
    total, passed = 0, True
    for name, share in shares.items():
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            examples = -(-share // operations)
            guarded = name == "API keys"
            options = {"workers": wanted.workers, "seed": wanted.seed, "limit": PATIENCE}
            outcome = run(Path(folder), examples, guarded=guarded, **options)
        print(outcome.report)
        print(f"{name}: {outcome.requests} requests in {time.monotonic() - started:.0f} s")
        total, passed = total + outcome.requests, passed and outcome.passed
    print(f"{total} requests; {'every answer was as the document says' if passed else 'FAILED: see above'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
