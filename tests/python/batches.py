"""Folders of images, and what `batch-sign` and `batch-verify` say of them."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from credlink import DEADLINE, binary, clean_environment, run
from images import corpus, smallest

SAMPLES = ("jpeg-exif", "png-palette", "webp-everything")


def archive(folder: Path, count: int) -> Path:
    """A folder with so many small JPEGs, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    jpeg = smallest()["jpeg"]
    for number in range(count):
        comment = b"number %d" % number
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (folder / f"{number:04}.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    return folder


def mixed(folder: Path) -> Path:
    """A folder with images of each format, in a tree."""
    for name, path in zip(SAMPLES, ("one.jpg", "sub/two.PNG", "sub/deep/three.webp"), strict=True):
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(corpus()[name])
    (folder / "notes.txt").write_text("no image")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder that no batch made for itself."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".credlink-batch"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def batch_sign(data: Path, *arguments: str | Path, env: dict[str, str] | None = None, stdin: bytes = b"", cwd=None):
    """Runs `batch-sign` with a report in JSON; the exit status, the report, and standard error."""
    done = run("batch-sign", "--data", data, "--format", "json", *arguments, env=env, stdin=stdin, cwd=cwd)
    report = json.loads(done.stdout) if done.stdout else None
    assert "panicked" not in done.stderr.decode()
    return done.returncode, report, done.stderr.decode()


def signed(data: Path, *arguments: str | Path, **options) -> dict:
    """The report of a run in which all went well."""
    status, report, stderr = batch_sign(data, *arguments, **options)
    assert status == 0, (report, stderr)
    return report


def started(data: Path, *arguments: str | Path, **env: str) -> subprocess.Popen:
    """`batch-sign` as a process."""
    command = [binary(), "batch-sign", "--data", data, "--format", "jsonl", *arguments]
    return subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment() | env,
    )


def rows(process: subprocess.Popen) -> Iterator[dict]:
    """The lines of its report, as they come."""
    for line in process.stdout:
        yield json.loads(line)


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Its exit status, and standard error."""
    stderr = process.communicate(timeout=DEADLINE)[1].decode()
    return process.returncode, stderr


def by_name(report: dict) -> dict[str, dict]:
    """The rows of a report by the last part of their names."""
    named = {Path(row["file"]).name: row for row in report["files"]}
    assert len(named) == len(report["files"])
    return named


def counts(report: dict) -> tuple[int, int, int]:
    """How many succeeded, failed and were skipped; and that the report is complete."""
    summary = report["summary"]
    assert summary["total"] == summary["success"] + summary["failed"] + summary["skipped"] == len(report["files"])
    return summary["success"], summary["failed"], summary["skipped"]


def proofs(data: Path) -> int:
    """How many proofs are in a data folder."""
    return len(list((data / "proofs" / "by-id").rglob("*.proof")))


def drafts(*folders: Path) -> list[Path]:
    """What is half-written."""
    return [path for folder in folders for path in folder.rglob(".credlink-*.part")]


def copied(source: Path, target: Path) -> Path:
    """A copy of a folder."""
    shutil.copytree(source, target)
    return target
