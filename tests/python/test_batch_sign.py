"""`batch-sign`: what it finds, what it says about each file, and where the signed images go."""

import csv
import io
import json
import os
import stat
import time
from pathlib import Path

import pytest

import batches
import credlink
from batches import archive, batch_sign, by_name, counts, drafts, files, mixed, proofs, signed
from credlink import run
from images import corpus
from manifest_store import active_manifest
from validators import assert_valid


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    credlink.make_keys(folder, "p-256")
    return folder


def test_a_tree_is_signed_into_a_tree(tmp_path, data):
    source, out = mixed(tmp_path / "in"), tmp_path / "out"
    (source / "one.jpg").chmod(0o640)
    before = files(source)
    report = signed(data, "--input", source, "--output", out, "--creator", "Jane Doe")
    assert counts(report) == (3, 0, 0) and proofs(data) == 3
    root = (data / "keys" / "root.pem").read_text()
    images = files(out)
    assert set(images) == {"one.jpg", "sub/two.PNG", "sub/deep/three.webp"}
    for image in images.values():
        assert_valid(image, root)
        assert active_manifest(image).assertions["cawg.metadata"]["dc:creator"] == ["Jane Doe"]
    assert files(source) == before
    assert stat.S_IMODE((out / "one.jpg").stat().st_mode) == 0o640
    summary = report["summary"]
    assert summary["bytes"] == sum(len(image) for name, image in before.items() if name != "notes.txt")
    assert 0 < summary["pipelineTime"] and 0 < summary["average"] and 0 < summary["duration"]
    for row in report["files"]:
        assert row["status"] == "success" and row["proofUri"].startswith("http") and Path(row["output"]).exists()


def test_folders_patterns_and_lists(tmp_path, data):
    source = mixed(tmp_path / "in")
    (source / "[1].jpg").write_bytes(corpus()["jpeg-grey"])
    given = {
        "a pattern": ["--input", "in/*.jpg"],
        "an exact name": ["--input", "in/[1].jpg", "in/one.jpg"],
        "deep patterns": ["--input", "in/**/*.webp", "--input", "in/s?b/*.PNG"],
        "a list": ["--input", "@list.txt"],
    }
    (tmp_path / "list.txt").write_text("in/one.jpg\r\n\n./in/sub/two.PNG\n")
    found = {}
    for number, (name, arguments) in enumerate(given.items()):
        signed(data, *arguments, "--output", f"out{number}", cwd=tmp_path)
        found[name] = set(files(tmp_path / f"out{number}"))
    assert found == {
        "a pattern": {"one.jpg", "[1].jpg"},
        "an exact name": {"one.jpg", "[1].jpg"},
        "deep patterns": {"sub/deep/three.webp", "sub/two.PNG"},
        "a list": {"in/one.jpg", "in/sub/two.PNG"},
    }
    names = b"\0".join(os.fsencode(path) for path in source.rglob("*") if path.suffix != ".txt" and path.is_file())
    signed(data, "--input", "-", "--root", source, "--output", tmp_path / "out", stdin=names + b"\0")
    assert set(files(tmp_path / "out")) == {"one.jpg", "[1].jpg", "sub/two.PNG", "sub/deep/three.webp"}
    status, _, stderr = batch_sign(data, "--input", "-", "--output", tmp_path / "other", stdin=b"/elsewhere/a.jpg\n")
    assert status == 2 and "--root" in stderr


def test_the_folder_of_signed_images_may_be_inside(tmp_path, data):
    source = archive(tmp_path / "in", 3)
    signed(data, "--input", source, "--output", source / "signed")
    report = signed(data, "--input", source, "--output", source / "signed", "--resume")
    assert counts(report) == (0, 0, 3) and proofs(data) == 3


def test_single_files_have_values_of_their_own(tmp_path, data):
    source, out = mixed(tmp_path / "in"), tmp_path / "out"
    with (tmp_path / "values.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["file", "title", "creator", "digitalSourceType", "training", "customAssertions"])
        own = json.dumps([{"label": "com.example.desk", "data": {"id": 7}}])
        writer.writerow(["one.jpg", "Harbour, \"old\"", "", "digitalCapture", "notAllowed", own])
        writer.writerow([str(source / "sub/two.PNG"), "", "John", "", "", ""])
        writer.writerow(["missing.jpg", "Nobody", "", "", "", ""])
    values = ["--values", tmp_path / "values.csv", "--creator", "Jane", "--title", "All"]
    report = signed(data, "--input", source, "--output", out, *values)
    assert report["summary"]["notes"] == ["line 4 of --values: missing.jpg is not among the files"]
    one, two, three = (
        active_manifest((out / name).read_bytes()).assertions
        for name in ("one.jpg", "sub/two.PNG", "sub/deep/three.webp")
    )
    said = [(a["cawg.metadata"]["dc:creator"], a["cawg.metadata"]["dc:title"]) for a in (one, two, three)]
    assert said == [(["Jane"], 'Harbour, "old"'), (["John"], "All"), (["Jane"], "All")]
    assert one["com.example.desk"] == {"id": 7} and "com.example.desk" not in two
    assert "cawg.training-mining" in one and "cawg.training-mining" not in three


def test_nothing_is_overwritten_silently(tmp_path, data):
    source, out = archive(tmp_path / "in", 2), tmp_path / "out"
    out.mkdir()
    (out / "0000.jpg").write_bytes(b"another")
    options = ["--input", source, "--output", out]
    status, report, _ = batch_sign(data, *options)
    assert (status, counts(report)) == (1, (1, 1, 0))
    assert "--overwrite" in by_name(report)["0000.jpg"]["reason"]
    assert (out / "0000.jpg").read_bytes() == b"another" and proofs(data) == 1
    status, report, _ = batch_sign(data, *options, "--skip-existing", "--resume")
    assert (status, counts(report)) == (0, (0, 0, 2))
    report = signed(data, *options, "--overwrite", "--journal", tmp_path / "journal")
    assert counts(report) == (2, 0, 0) and proofs(data) == 3
    assert_valid((out / "0000.jpg").read_bytes(), (data / "keys" / "root.pem").read_text())


def test_in_place_the_files_are_kept(tmp_path, data):
    source = mixed(tmp_path / "in")
    (source / "link.jpg").symlink_to("one.jpg")
    before = files(source)
    in_place = ["--input", source, "--in-place", "--journal", tmp_path / "journal"]
    report = signed(data, *in_place)
    assert counts(report) == (3, 0, 0), "a file and a link to it are one file"
    after = files(source)
    assert (source / "link.jpg").is_symlink()
    for name in ("one.jpg", "sub/two.PNG", "sub/deep/three.webp"):
        assert after[f"{name}.orig"] == before[name]
        assert_valid(after[name], (data / "keys" / "root.pem").read_text())
    report = signed(data, *in_place, "--resume")
    assert counts(report) == (0, 0, 3) and files(source) == after and proofs(data) == 3
    status, report, _ = batch_sign(data, "--input", source, "--in-place", "--journal", tmp_path / "other")
    assert (status, counts(report)) == (1, (0, 3, 0)) and files(source) == after
    report = signed(data, "--input", source, "--in-place", "--skip-existing", "--journal", tmp_path / "third")
    assert counts(report) == (0, 0, 3) and proofs(data) == 3


def test_every_form_of_report_tells_the_same(tmp_path, data):
    source = archive(tmp_path / "in", 3)
    (source / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    outcomes = {}
    for form in ("text", "json", "jsonl", "csv"):
        place = tmp_path / f"report.{form}"
        done = run(
            "batch-sign", "--data", data, "--input", source, "--output", tmp_path / form,
            "--format", form, "--report", place,
        )  # fmt: skip
        assert done.returncode == 1 and not done.stdout, done.stderr.decode()
        outcomes[form] = place.read_text()
    text = outcomes["text"]
    assert "Failed" in text and "broken.jpg" in text and "Success    3" in text
    assert counts(json.loads(outcomes["json"])) == (3, 1, 0)
    *lines, last = map(json.loads, outcomes["jsonl"].splitlines())
    assert last["summary"]["failed"] == 1 and sum(line["status"] == "success" for line in lines) == 3
    table = list(csv.DictReader(io.StringIO(outcomes["csv"])))
    assert {row["status"] for row in table if "broken" in row["file"]} == {"failed"} and len(table) == 4
    done = run(
        "batch-sign", "--data", data, "--input", source, "--output", tmp_path / "again",
        "--report", tmp_path / "report.csv",
    )  # fmt: skip
    assert done.returncode == 2 and (tmp_path / "report.csv").read_text() == outcomes["csv"]
    assert not drafts(tmp_path)


def test_the_rate_is_kept(tmp_path, data):
    source = archive(tmp_path / "in", 11)
    began = time.monotonic()
    signed(data, "--input", source, "--output", tmp_path / "out", "--max-rate", "10", "--parallel", "4")
    assert time.monotonic() - began >= 1.0


def test_with_a_chosen_certificate(tmp_path, data):
    source, chosen = archive(tmp_path / "in", 1), tmp_path / "chosen"
    credlink.make_keys(chosen, "p-384")
    env = {"SIGNING_CERTIFICATE": str(chosen / "keys" / "signer.pem")}
    signed(data, "--input", source, "--output", tmp_path / "out", env=env)
    assert_valid((tmp_path / "out" / "0000.jpg").read_bytes(), (chosen / "keys" / "root.pem").read_text())


@pytest.mark.parametrize(
    "arguments",
    {
        "no input": ["--output", "out"],
        "no place": ["--input", "in"],
        "two places": ["--input", "in", "--output", "out", "--in-place"],
        "nothing there": ["--input", "nowhere", "--output", "out"],
        "no such name": ["--input", "in/*.tiff", "--output", "out"],
        "the places of the files": ["--input", "in", "in/0000.jpg", "--output", "in"],
        "two files, one place": ["--input", "in", "other", "--output", "out"],
        "a suffix of images": ["--input", "in", "--in-place", "--backup-suffix", ".jpg"],
        "no rate": ["--input", "in", "--output", "out", "--max-rate", "0"],
        "no worker": ["--input", "in", "--output", "out", "--parallel", "0"],
        "an unknown column": ["--input", "in", "--output", "out", "--values", "author.csv"],
        "a bad cell": ["--input", "in", "--output", "out", "--values", "cell.csv"],
        "no address": ["--input", "in", "--output", "out", "--service", "credlink.example.com"],
        "a service and a table": ["--input", "in", "--output", "out", "--service", "http://a", "--table", "b"],
        "a place that is a file": ["--input", "in", "--output", "author.csv"],
        "no list": ["--input", "@nowhere.txt", "--output", "out"],
    }.items(),
    ids=lambda item: item[0],
)
def test_wrong_usage_signs_nothing(tmp_path, data, arguments):
    archive(tmp_path / "in", 2)
    archive(tmp_path / "other", 1)
    (tmp_path / "author.csv").write_text("file,author\n0000.jpg,Jane\n")
    (tmp_path / "cell.csv").write_text("file,training\n0000.jpg,perhaps\n")
    before = files(tmp_path)
    status, report, stderr = batch_sign(data, *arguments[1], cwd=tmp_path)
    assert (status, report) == (2, None) and stderr
    assert files(tmp_path) == before
    if arguments[0] == "two files, one place":
        assert "in/0000.jpg" in stderr and "other/0000.jpg" in stderr and "out/0000.jpg" in stderr


def test_a_key_is_not_sent_in_the_clear(tmp_path, data):
    archive(tmp_path / "in", 1)
    options = ["--input", tmp_path / "in", "--output", tmp_path / "out", "--service", "http://192.0.2.1"]
    status, _, stderr = batch_sign(data, *options, env={"CREDLINK_API_KEY": "secret-of-mine"})
    assert status == 2 and "https" in stderr and "secret" not in stderr


def test_a_bar_on_a_terminal(tmp_path, data):
    """And none elsewhere: standard error of all other tests is a pipe."""
    import pty
    import subprocess

    archive(tmp_path / "in", 3)
    ours, theirs = pty.openpty()
    command = [credlink.binary(), "batch-sign", "--data", data, "--input", tmp_path / "in", "--output", tmp_path / "o"]
    command += ["--max-rate", "4"]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        assert b"Success    3" in process.stdout.read()
    assert process.returncode == 0
    assert b"of 3" in shown and b"left" in shown
