"""`batch-verify`: states and scores of many images."""

import csv
import io
import json
import os
from pathlib import Path

import pytest

import credlink
from batches import archive, by_name, counts, mixed, signed
from credlink import run
from images import corpus
from validators import c2pa_python


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    credlink.make_keys(folder, "p-256")
    return folder


def batch_verify(data: Path, *arguments: str | Path, form: str = "json"):
    done = run("batch-verify", "--data", data, "--format", form, *arguments)
    assert "panicked" not in done.stderr.decode()
    return done.returncode, json.loads(done.stdout) if form == "json" else done.stdout.decode()


@pytest.fixture
def judged(tmp_path, data) -> Path:
    """Images of every state."""
    signed(data, "--input", mixed(tmp_path / "in"), "--output", tmp_path / "out")
    out = tmp_path / "out"
    changed = bytearray((out / "one.jpg").read_bytes())
    changed[-10] ^= 1
    (out / "changed.jpg").write_bytes(changed)
    (out / "plain.png").write_bytes(corpus()["png-texts"])
    (out / "text.jpg").write_text("no image")
    (out / "dangling.jpg").symlink_to("nowhere")
    os.mkfifo(out / "pipe.jpg")
    return out


def test_states_and_scores(data, judged):
    status, report = batch_verify(data, "--input", judged)
    assert status == 1 and counts(report) == (3, 5, 0)
    states = {name: (row["state"], row["valid"]) for name, row in by_name(report).items()}
    assert states == {
        "one.jpg": ("trusted", True),
        "two.PNG": ("trusted", True),
        "three.webp": ("trusted", True),
        "changed.jpg": ("invalid", False),
        "plain.png": ("none", False),
        "text.jpg": ("unreadable", False),
        "dangling.jpg": ("unreadable", False),
        "pipe.jpg": ("unreadable", False),
    }
    assert report["summary"]["states"] == {"trusted": 3, "invalid": 1, "none": 1, "unreadable": 3}
    root = (data / "keys" / "root.pem").read_text()
    for name in ("one.jpg", "changed.jpg"):
        assert c2pa_python((judged / name).read_bytes(), root).state.lower() == states[name][0]
    assert by_name(report)["one.jpg"]["confidence"] == 100 and by_name(report)["one.jpg"]["proofId"]
    assert all(row["reason"] for row in report["files"])


def test_all_valid_is_status_0(tmp_path, data):
    signed(data, "--input", archive(tmp_path / "in", 3), "--output", tmp_path / "out")
    status, report = batch_verify(data, "--input", f"{tmp_path}/out/*.jpg", "--parallel", "2")
    assert status == 0 and counts(report) == (3, 0, 0)


def test_people_are_told_what_is_not_valid(data, judged):
    status, text = batch_verify(data, "--input", judged, form="text")
    assert status == 1 and "one.jpg" not in text
    assert any(line.startswith("invalid") and "changed.jpg" in line for line in text.splitlines())
    assert "Success    3" in text and "trusted  3" in text
    _, table = batch_verify(data, "--input", judged, form="csv")
    assert sum(row["valid"] == "true" for row in csv.DictReader(io.StringIO(table))) == 3


def test_trust_and_time_are_chosen(tmp_path, data):
    signed(data, "--input", archive(tmp_path / "in", 1), "--output", tmp_path / "out")
    stranger = tmp_path / "stranger"
    status, report = batch_verify(stranger, "--input", tmp_path / "out")
    assert (status, report["files"][0]["state"]) == (1, "valid"), "its signer is not known there"
    anchors = ["--trust-anchors", data / "keys" / "root.pem"]
    status, report = batch_verify(stranger, "--input", tmp_path / "out", *anchors)
    assert (status, report["files"][0]["state"]) == (0, "trusted")
    assert batch_verify(data, "--input", tmp_path / "out", "--at", "2099-01-01T00:00:00Z", "--offline")[0] == 1
    done = run("batch-verify", "--data", data, "--input", tmp_path / "out", "--service", "http://a", "--offline")
    assert done.returncode == 2
