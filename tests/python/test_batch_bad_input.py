"""`batch-sign` among files, disks and services that are not as they should be: each file fails alone, the report is
complete, and nothing half-written stays."""

import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

import credlink
from batches import archive, batch_sign, by_name, counts, drafts, ended, files, proofs, rows, signed, started
from credlink import DEADLINE, binary, clean_environment, run
from images import noise, saved
from validators import assert_valid


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    credlink.make_keys(folder, "p-256")
    return folder


@pytest.mark.parametrize("place", ["folder", "list"])
def test_bad_files_fail_alone(tmp_path, data, place):
    source, out = archive(tmp_path / "in", 2), tmp_path / "out"
    image = (source / "0000.jpg").read_bytes()
    (source / "empty.jpg").touch()
    (source / "text.png").write_text("no image")
    (source / "torn.jpg").write_bytes(image[: len(image) // 2])
    (source / "dangling.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(source / "pipe.jpg")
    odd = os.fsencode(source) + b"/caf\xe9.jpg"
    Path(os.fsdecode(odd)).write_bytes(image + b"e")
    bad = {"empty.jpg", "text.png", "torn.jpg", "dangling.jpg", "pipe.jpg"}
    if place == "folder":
        inside = source / "album.jpg"
        inside.mkdir()
        (inside / "in.jpg").write_bytes(image)
        (inside / "circle").symlink_to(source)
        given = ["--input", source]
        expected = (4, 5, 1)
    else:
        (source / "album.jpg").mkdir()
        bad.add("album.jpg")
        names = [os.fsencode(source / name) for name in (*bad, "0000.jpg", "0001.jpg", "gone.jpg")]
        bad.add("gone.jpg")
        (tmp_path / "list").write_bytes(b"\0".join([*names, odd]) + b"\0")
        given = ["--input-list", tmp_path / "list", "--root", source]
        expected = (3, 7, 0)
    status, report, _ = batch_sign(data, *given, "--output", out)
    assert (status, counts(report)) == (1, expected), report
    rows = by_name(report)
    assert {name for name, row in rows.items() if row["status"] == "failed"} == bad
    assert all(row["reason"] for row in rows.values() if row["status"] != "success")
    assert proofs(data) == expected[0] and not drafts(tmp_path)
    strange = rows["caf\ufffd.jpg"]
    assert bytes.fromhex(strange["fileHex"]) == odd and strange["status"] == "success"
    root = (data / "keys" / "root.pem").read_text()
    assert_valid(Path(os.fsdecode(os.fsencode(out) + b"/caf\xe9.jpg")).read_bytes(), root)
    if place == "folder":
        assert rows["circle"]["status"] == "skipped" and "circle" in rows["circle"]["reason"]
    # What failed is tried again, what was signed is not.
    status, report, _ = batch_sign(data, *given, "--output", out, "--resume")
    assert (status, counts(report)) == (1, (0, expected[1], expected[0] + expected[2]))
    assert proofs(data) == expected[0]


def test_a_table_may_name_files_that_are_no_text(tmp_path, data):
    source = archive(tmp_path / "in", 1)
    (source / "0000.jpg").rename(os.fsdecode(os.fsencode(source) + b"/\xff.jpg"))
    (tmp_path / "values.csv").write_bytes(b"file,title\n\xff.jpg,Harbour\n")
    report = signed(data, "--input", source, "--output", tmp_path / "out", "--values", tmp_path / "values.csv")
    assert "notes" not in report["summary"]


def large(folder: Path, name: str) -> None:
    """An image that is much longer than a proof."""
    (folder / name).write_bytes(saved(noise(400, 300), "PNG"))


def test_files_that_do_not_fit(tmp_path, data):
    """As on a full disk, for whoever may not make one: files may not be longer than this."""
    source, out = archive(tmp_path / "in", 3), tmp_path / "out"
    large(source, "large.png")
    command = [binary(), "batch-sign", "--data", data, "--input", source, "--output", out]

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        list(map(str, command)), env=clean_environment(), preexec_fn=limit, capture_output=True, timeout=DEADLINE
    )
    assert done.returncode == 1, done.stderr
    assert b"Success    3" in done.stdout and b"large.png: cannot write" in done.stdout
    assert set(files(out)) == {"0000.jpg", "0001.jpg", "0002.jpg"} and not drafts(tmp_path)
    before = proofs(data)
    report = signed(data, "--input", source, "--output", out, "--resume")
    assert counts(report) == (1, 0, 3) and proofs(data) == before == 4
    assert_valid((out / "large.png").read_bytes(), (data / "keys" / "root.pem").read_text())


@pytest.fixture
def small_disk(tmp_path):
    """A disk of a megabyte, where one may be mounted; else none."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield place if mounted else None
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk(tmp_path, data, small_disk):
    if small_disk is None:
        # `test_files_that_do_not_fit` shows the same where nobody may mount.
        return
    source, out = archive(tmp_path / "in", 4), small_disk / "out"
    for number in range(4):
        large(source, f"large{number}.png")
    status, report, _ = batch_sign(data, "--input", source, "--output", out)
    success, failed, _ = counts(report)
    assert status == 1 and failed >= 2 and success + failed == 8
    assert all("No space" in row["reason"] for row in report["files"] if row["status"] == "failed")
    assert len(files(out)) == success and not drafts(small_disk)


def test_a_folder_that_disappears_is_not_made_anew(tmp_path, data):
    source, out = archive(tmp_path / "in", 12), tmp_path / "out"
    process = started(data, "--input", source, "--output", out, "--max-rate", "4", "--parallel", "1")
    told = rows(process)
    assert next(told)["status"] == "success"
    out.rename(tmp_path / "moved")
    rest = list(told)
    status, _ = ended(process)
    assert status == 1 and not out.exists()
    failed = [row for row in rest[:-1] if row["status"] == "failed"]
    assert len(failed) >= 9 and all("gone" in row["reason"] for row in failed)
    assert rest[-1]["summary"]["total"] == 12


def test_a_data_folder_that_cannot_be_used(tmp_path):
    archive(tmp_path / "in", 1)
    (tmp_path / "data").write_text("a file")
    status, report, stderr = batch_sign(tmp_path / "data", "--input", tmp_path / "in", "--output", tmp_path / "out")
    assert (status, report) == (2, None) and stderr


def test_what_killed_runs_left_is_removed(tmp_path, data):
    source, out = archive(tmp_path / "in", 1), tmp_path / "out"
    out.mkdir()
    (out / ".credlink-Xy12ab.part").write_bytes(b"half")
    signed(data, "--input", source, "--output", out)
    assert set(files(out)) == {"0000.jpg"} and not drafts(out)


def test_names_do_not_move_the_cursor(tmp_path, data):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a\x1b[2Jb\n.jpg").write_bytes(b"")
    done = run("batch-sign", "--data", data, "--input", source, "--output", tmp_path / "out")
    assert done.returncode == 1 and b"\x1b" not in done.stdout and b"a\xef\xbf\xbd[2Jb" in done.stdout
