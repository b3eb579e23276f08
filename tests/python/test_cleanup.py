"""The cleanup from outside: what is past its time goes, nothing else, and a dry run only counts."""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

import credlink
from credlink import DEADLINE, Service, run
from images import corpus

HOUR = 3600


@pytest.fixture
def service(data: Path):
    """A service with a data folder of its own, whose jobs do not start by themselves."""
    credlink.make_keys(data, "p-256")
    service = credlink.start(data, data / "service.log", ENABLE_JOB_SCHEDULER="false")
    yield service
    service.stop()


def clean_up(data: Path, *arguments: str) -> dict:
    """What a run of the cleanup counted."""
    done = run("jobs", "run", "proof-cleanup", *arguments, "--json", "--data", data)
    assert done.returncode == 0, (done.stdout.decode(), done.stderr.decode())
    return json.loads(done.stdout)["counts"]


def snapshot(folder: Path) -> dict[Path, bytes]:
    """All files and what they hold."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sign(service: Service, image: bytes) -> tuple[bytes, str]:
    """A signed image, and the id of its proof."""
    answer = service.post_sign(image)
    assert answer.status_code == 200, answer.text
    return answer.content, answer.headers["X-Proof-Uri"].rsplit("/", 1)[1]


def proof_file(data: Path, proof: str) -> Path:
    return data / "proofs" / "by-id" / proof[:3] / f"{proof}.proof"


def expire(path: Path, seconds: float) -> None:
    """Lets a proof have expired so long ago, in its file. The layout is written down in lib/proofs/src/local/file.rs."""
    content = path.read_bytes()
    head, length = content[:56], int.from_bytes(content[12:16], "big")
    record, store = json.loads(content[56 : 56 + length]), content[56 + length + 32 :]
    when = time.gmtime(time.time() - seconds)
    record["expiresAt"] = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", when)
    encoded = json.dumps(record, separators=(",", ":")).encode()
    signed = head[:12] + len(encoded).to_bytes(4, "big") + head[16:] + encoded
    # In place: the name in the index is one of the same file.
    path.write_bytes(signed + hashlib.sha256(signed).digest() + store)


def write_old(path: Path, content: bytes, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    written = time.time() - seconds
    os.utime(path, (written, written))


def lookups(data: Path) -> set[str]:
    """The proofs that the index by image knows."""
    return {path.name.rsplit(".", 1)[1] for path in (data / "proofs" / "by-hash").glob("*/*")}


def test_what_is_past_its_time_goes_and_nothing_else(service: Service) -> None:
    data, images = service.data, list(corpus().values())[:4]
    (kept_image, kept), (_, waiting), (_, old), (broken_image, broken) = (sign(service, image) for image in images)
    expire(proof_file(data, waiting), HOUR / 2)
    expire(proof_file(data, old), 2 * HOUR)
    # Of one proof only the look-up is left, and another one cannot be read.
    orphan = next(path for path in (data / "proofs" / "by-hash").glob(f"*/*.{broken}"))
    lost = orphan.with_name(orphan.name.replace(broken, "0f0e0d0c-0b0a-4908-8706-050403020100"))
    write_old(lost, b"anything", 30 * HOUR)
    content = proof_file(data, broken).read_bytes()
    proof_file(data, broken).write_bytes(content[:100] + b"?" + content[101:])
    name = "5b8bd1f2-6a43-4d0e-8f3a-0d6f3a1c2b4d"
    write_old(data / "uploads" / f"{name}.upload", b"{}", 2 * HOUR)
    write_old(data / "uploads" / f"{name}.result.data", b"signed copy", 2 * HOUR)
    write_old(data / "uploads" / "notes.txt", b"mine", 200 * HOUR)
    key = hashlib.sha256(b"a key").hexdigest()
    write_old(data / "idempotency" / key[:2] / f"{key}.json", b'{"ttl":1500000000}', 0)

    # Uploads go as soon as somebody opens their folder, which is no part of the cleanup.
    folders = ("proofs", "idempotency")
    before = {folder: snapshot(data / folder) for folder in folders}
    dry = clean_up(data, "--dry-run")
    assert {folder: snapshot(data / folder) for folder in folders} == before

    counts = clean_up(data)
    expected = {
        "expiredProofsRemoved": 1,
        "orphanLookUpsRemoved": 1,
        "idempotencyKeysRemoved": 1,
        "damagedProofs": 1,
        "damagedProofsIds": [broken],
        "proofsKept": 1,
        "proofsExpiredWaiting": 1,
        "finished": True,
        "faults": 0,
    }
    for counted in (dry, counts):
        assert {name: counted[name] for name in expected} == expected
    assert lookups(data) == {kept, waiting, broken}
    assert not proof_file(data, old).exists()
    assert all(proof_file(data, there).exists() for there in (kept, waiting, broken))
    assert [path.name for path in (data / "uploads").iterdir()] == ["notes.txt"]
    assert snapshot(data / "idempotency") == {}

    assert service.verify(kept_image)["details"]["proofFound"]
    for gone in (waiting, old):
        assert service.session.get(f"{service.url}/proofs/{gone}", timeout=DEADLINE).status_code == 404
    assert not service.verify(broken_image)["details"]["proofFound"]


def test_a_second_cleanup_finds_nothing(service: Service) -> None:
    _, proof = sign(service, next(iter(corpus().values())))
    expire(proof_file(service.data, proof), 2 * HOUR)
    assert clean_up(service.data)["expiredProofsRemoved"] == 1
    before = snapshot(service.data / "proofs")
    counts = clean_up(service.data)
    assert [counts[name] for name in ("expiredProofsRemoved", "proofsKept", "finished")] == [0, 0, True]
    assert snapshot(service.data / "proofs") == before
