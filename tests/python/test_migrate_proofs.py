"""Moving proofs between stores from outside: nothing is lost, a kill does no harm, and a rollback takes back what was
written and nothing else."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

import credlink
from credlink import run
from images import corpus

PROOFS = 300


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with some hundred proofs: two signed images, and copies of their proofs under other ids."""
    data = tmp_path_factory.mktemp("signed")
    credlink.make_keys(data, "p-256")
    for number, image in enumerate(list(corpus().values())[:2]):
        (data / "image").write_bytes(image)
        done = run("sign", data / "image", "-o", data / f"signed-{number}", "--data", data)
        assert done.returncode == 0, done.stderr.decode()
    first = next(data.glob("proofs/by-id/*/*.proof"))
    for number in range(PROOFS - 2):
        write_proof(data / "proofs", first.read_bytes(), number)
    return data


@pytest.fixture
def source(signed: Path, tmp_path: Path) -> Path:
    """A proof folder of the test's own."""
    return Path(shutil.copytree(signed / "proofs", tmp_path / "source"))


def record_of(content: bytes) -> dict:
    """The record in a proof's file. The layout is written down in lib/proofs/src/local/file.rs."""
    return json.loads(content[56 : 56 + int.from_bytes(content[12:16], "big")])


def with_record(content: bytes, record: dict) -> bytes:
    """The file with another record."""
    length = int.from_bytes(content[12:16], "big")
    encoded = json.dumps(record, separators=(",", ":")).encode()
    head = content[:12] + len(encoded).to_bytes(4, "big") + content[16:56] + encoded
    return head + hashlib.sha256(head).digest() + content[56 + length + 32 :]


def write_proof(folder: Path, content: bytes, number: int) -> None:
    """A copy of a proof under an id of its own."""
    record = record_of(content)
    digits = hashlib.md5(str(number).encode()).hexdigest()
    record["id"] = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
    path = file_of(folder, record["id"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(with_record(content, record))


def file_of(folder: Path, proof: str) -> Path:
    return folder / "by-id" / proof[:3] / f"{proof}.proof"


def proofs(folder: Path) -> dict[str, bytes]:
    """All proofs, byte for byte."""
    return {path.name: path.read_bytes() for path in folder.glob("by-id/*/*")}


def snapshot(folder: Path) -> dict[Path, tuple]:
    """Everything there is, and when it was changed."""
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in folder.rglob("*")}


def migrate(data: Path, *arguments: str | Path, status: int = 0) -> dict:
    """The report."""
    done = run("migrate-proofs", *arguments, "--json", "--data", data)
    assert done.returncode == status, (done.stdout.decode(), done.stderr.decode())
    return json.loads(done.stdout)


def test_a_folder_moves_and_the_move_is_taken_back(data: Path, source: Path, tmp_path: Path) -> None:
    before, target = snapshot(source), tmp_path / "target"
    stores = ("--from", f"local:{source}", "--to", f"local:{target}")
    dry = migrate(data, *stores, "--dry-run")
    assert dry["dryRun"] and dry["counts"]["copied"] == PROOFS and dry["counts"]["bytes"] > 0
    assert not target.exists() and not list((data / "migrations").iterdir())

    report = migrate(data, *stores)
    assert report["ending"] == "complete" and report["counts"]["copied"] == PROOFS
    assert report["counts"]["bytes"] == dry["counts"]["bytes"]
    assert report["reconciliation"]["equal"]
    assert report["reconciliation"]["source"] == report["reconciliation"]["destination"]
    assert proofs(target) == proofs(source)
    assert snapshot(source) == before

    listed = migrate(data, "--list")
    assert [(entry["run"], entry["stage"]) for entry in listed] == [(report["run"], "finished")]
    assert migrate(data, "--rollback", report["run"])["removed"] == PROOFS
    assert proofs(target) == {}
    assert snapshot(source) == before


def test_what_was_moved_is_found_by_the_service(signed: Path, source: Path, tmp_path: Path) -> None:
    data = tmp_path / "elsewhere"
    shutil.copytree(signed / "keys", data / "keys")
    migrate(data, "--from", f"local:{source}", "--to", "local")
    verified = run("verify", signed / "signed-0", "--json", "--data", data)
    report = json.loads(verified.stdout)
    assert report["details"]["proofFound"] and report["details"]["proofsMatch"], report


def test_a_read_only_source_moves(data: Path, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for path in (source, *source.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    mounted = os.geteuid() == 0
    if mounted:
        # Permissions mean nothing to root.
        subprocess.run(["mount", "--bind", source, source], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", source], check=True)
    try:
        report = migrate(data, "--from", f"local:{source}", "--to", f"local:{target}")
    finally:
        if mounted:
            subprocess.run(["umount", source], check=True)
        for path in (source, *source.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert report["counts"]["copied"] == PROOFS and proofs(target) == proofs(source)


def test_killed_and_resumed_it_comes_to_the_same_end(data: Path, source: Path, tmp_path: Path) -> None:
    target, chance = tmp_path / "target", random.Random(7)
    migrate(data, "--from", f"local:{source}", "--to", f"local:{target}")
    others = {name: content for name, content in list(proofs(target).items())[:20]}
    shutil.rmtree(target)
    migrate(data, "--from", f"local:{source}", "--to", f"local:{target}")
    for path in target.glob("by-id/*/*"):
        if path.name not in others:
            path.unlink()
    before = proofs(target)
    assert len(before) == 20

    arguments = ["--from", f"local:{source}", "--to", f"local:{target}", "--batch-size", "10"]
    killed, known = 0, {entry["run"] for entry in migrate(data, "--list")}
    while killed < 8:
        process = subprocess.Popen(
            [credlink.binary(), "migrate-proofs", *arguments, "--data", data],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=credlink.clean_environment(),
        )
        # Its first line names the run, from then on it can be resumed.
        line = process.stdout.readline().decode().split()
        time.sleep(chance.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        killed += 1
        if line:
            arguments = ["--resume", line[1], "--parallel", "2"]
            known.add(line[1])
        entry = next((entry for entry in migrate(data, "--list") if entry["run"] == arguments[1]), None)
        if entry and entry["stage"] == "finished":
            break
    if entry["stage"] != "finished":
        report = migrate(data, *arguments)
        assert report["counts"]["copied"] == PROOFS - 20 and report["counts"]["alreadyThere"] == 20
        assert report["reconciliation"]["equal"]
    assert proofs(target) == proofs(source)
    assert migrate(data, "--rollback", arguments[1])["removed"] == PROOFS - 20
    assert proofs(target) == before


def test_ctrl_c_finishes_the_batch_and_says_how_to_go_on(data: Path, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    process = subprocess.Popen(
        [credlink.binary(), "migrate-proofs", "--from", f"local:{source}", "--to", f"local:{target}"]
        + ["--batch-size", "1", "--parallel", "1", "--data", data],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=credlink.clean_environment(),
    )
    first = process.stdout.readline().decode()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=credlink.DEADLINE)
    text = out.decode()
    assert process.returncode == 1, (text, err.decode())
    assert f"--resume {first.split()[1]}" in text and "Stopped as asked" in text
    report = migrate(data, "--resume", first.split()[1])
    assert report["counts"]["copied"] == PROOFS and proofs(target) == proofs(source)


def test_what_cannot_be_moved_fails_alone(data: Path, source: Path, tmp_path: Path) -> None:
    target, files = tmp_path / "target", sorted(source.glob("by-id/*/*.proof"))
    content = files[0].read_bytes()
    files[0].write_bytes(content[:100])
    content = files[1].read_bytes()
    files[1].write_bytes(content[:11] + b"\x02" + content[12:])
    content = files[2].read_bytes()
    files[2].write_bytes(with_record(content, record_of(content) | {"watermark": "durable"}))
    content = files[3].read_bytes()
    files[3].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    report = migrate(data, "--from", f"local:{source}", "--to", f"local:{target}", status=1)
    assert report["ending"] == "incomplete" and report["counts"]["failed"] == 4
    assert report["counts"]["copied"] == PROOFS - 4
    reasons = {finding["id"]: finding["reason"] for finding in report["failures"]}
    assert set(reasons) == {path.stem for path in files[:4]}
    assert "newer" in reasons[files[1].stem] and "newest version" in reasons[files[2].stem]
    written = [json.loads(line) for line in Path(report["findings"]).read_text().splitlines()]
    assert {finding["id"] for finding in written} == set(reasons)
    assert {name for name in proofs(target)} == {path.name for path in files[4:]}


def test_another_proof_of_the_same_id(data: Path, source: Path, tmp_path: Path) -> None:
    target, files = tmp_path / "target", sorted(source.glob("by-id/*/*.proof"))
    stores = ("--from", f"local:{source}", "--to", f"local:{target}")
    for path, year in ((files[0], "2001"), (files[1], "2901")):
        content = path.read_bytes()
        there = file_of(target, path.stem)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(with_record(content, record_of(content) | {"createdAt": f"{year}-01-01T00:00:00.000Z"}))
    before = proofs(target)
    report = migrate(data, *stores, "--on-conflict", "fail", status=1)
    assert report["ending"] == "conflict" and report["counts"]["conflicts"] == 2
    assert proofs(target) == before
    report = migrate(data, "--resume", report["run"], "--on-conflict", "overwrite-if-newer")
    assert (report["counts"]["overwritten"], report["counts"]["conflicts"]) == (1, 1)
    after = proofs(target)
    assert after[files[0].name] == files[0].read_bytes() and after[files[1].name] == before[files[1].name]
    undone = migrate(data, "--rollback", report["run"])
    assert (undone["removed"], undone["restored"]) == (PROOFS - 2, 1)
    assert proofs(target) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk_stops_the_run_which_goes_on_when_there_is_room(data: Path, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", target], check=True)
    try:
        stores = ("--from", f"local:{source}", "--to", f"local:{target}")
        done = run("migrate-proofs", *stores, "--json", "--data", data)
        report = json.loads(done.stdout)
        assert done.returncode == 2 and report["ending"] == "destinationUnavailable", report
        assert "No space left" in report["reason"]
        assert f"--resume {report['run']}" in done.stderr.decode()
        assert 0 < report["counts"]["copied"] < PROOFS
        subprocess.run(["mount", "-o", "remount,size=100m", target], check=True)
        report = migrate(data, "--resume", report["run"])
        assert report["counts"]["copied"] == PROOFS and proofs(target) == proofs(source)
    finally:
        subprocess.run(["umount", target], check=True)


def test_wrong_usage_says_what_is_right(data: Path, source: Path, tmp_path: Path) -> None:
    for arguments, expected in (
        ((), "--from"),
        (("--from", f"local:{source}"), "--to"),
        (("--from", f"local:{source}", "--to", f"local:{source}/../source"), "the same store"),
        (("--from", f"local:{tmp_path}/missing", "--to", "local"), "cannot be used"),
        (("--from", "local", "--to", "memory"), "memory"),
        (("--from", f"local:{source}", "--to", "disk"), "no kind of store"),
        (("--from", f"local:{source}", "--to", "local", "--on-conflict", "merge"), "overwrite-if-newer"),
        (("--resume", "20260131-081530-5f2c9a"), "there is no run"),
        (("--rollback", "../../etc"), "--list"),
    ):
        done = run("migrate-proofs", *arguments, "--data", data)
        assert done.returncode == 2 and expected in done.stderr.decode(), (arguments, done.stderr.decode())
    assert not (tmp_path / "missing").exists()


def test_the_text_names_the_run_first_and_tells_the_counts(data: Path, source: Path, tmp_path: Path) -> None:
    done = run("migrate-proofs", "--from", f"local:{source}", "--to", f"local:{tmp_path}/target", "--data", data)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and lines[0].startswith("Run ") and "Moved all proofs" in lines[1]
    assert f"{PROOFS}  copied" in lines[2] and any("in the end equal" in line for line in lines)
    assert "of 300" in done.stderr.decode()
