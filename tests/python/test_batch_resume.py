"""A batch that is ended, killed, changed and gone on with: everything is signed once."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

import credlink
from batches import archive, batch_sign, by_name, counts, drafts, ended, files, proofs, rows, signed, started
from images import smallest
from validators import assert_valid


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    credlink.make_keys(folder, "p-256")
    return folder


def kill_often(data: Path, arguments: list, times: int, seed: int) -> None:
    """Runs a batch so often, and kills it each time at another moment."""
    chance = random.Random(seed)
    for _ in range(times):
        process = started(data, *arguments, "--resume")
        try:
            process.wait(timeout=chance.uniform(0.03, 0.4))
        except Exception:
            process.kill()
        ended(process)


@pytest.mark.parametrize("place", ["tree", "in place"])
def test_killed_ten_times_all_is_signed_once(tmp_path, data, place):
    source, out = archive(tmp_path / "in", 150), tmp_path / "out"
    before = files(source)
    where = ["--output", out] if place == "tree" else ["--in-place", "--journal", tmp_path / "journal"]
    arguments = ["--input", source, *where, "--parallel", "3"]
    kill_often(data, arguments, 10, 7)
    report = signed(data, *arguments, "--resume")
    success, failed, skipped = counts(report)
    assert (success + skipped, failed) == (150, 0)
    assert proofs(data) == 150 and not drafts(tmp_path)
    results = files(out) if place == "tree" else {n: i for n, i in files(source).items() if not n.endswith(".orig")}
    assert set(results) == set(before)
    root = (data / "keys" / "root.pem").read_text()
    for name in random.Random(1).sample(sorted(results), 5):
        assert_valid(results[name], root)
    if place == "in place":
        kept = {name.removesuffix(".orig"): image for name, image in files(source).items() if name.endswith(".orig")}
        assert kept == before
    assert counts(signed(data, *arguments, "--resume")) == (0, 0, 150) and proofs(data) == 150


def test_killed_between_the_image_and_the_journal(tmp_path, data):
    """The moment that a kill hits least often."""
    source, out = archive(tmp_path / "in", 3), tmp_path / "out"
    arguments = ["--input", source, "--output", out]
    signed(data, *arguments)
    results = files(out)
    journal = out / ".credlink-batch.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"signed"' not in line and '"ended"' not in line) + '{"line":"sig')
    (out / "0001.jpg").unlink()
    report = signed(data, *arguments, "--resume")
    assert counts(report) == (3, 0, 0)
    assert files(out) == results and proofs(data) == 3


def test_in_place_killed_between_the_image_and_the_journal(tmp_path, data):
    source = archive(tmp_path / "in", 3)
    journal = tmp_path / "journal"
    arguments = ["--input", source, "--in-place", "--journal", journal]
    signed(data, *arguments)
    results = files(source)
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"signed"' not in line and '"ended"' not in line))
    # The one was killed before the signed image came into its place.
    (source / "0001.jpg").unlink()
    (source / "0001.jpg").hardlink_to(source / "0001.jpg.orig")
    report = signed(data, *arguments, "--resume")
    assert counts(report) == (3, 0, 0)
    assert files(source) == results and proofs(data) == 3


def test_a_result_that_is_gone_comes_back_with_its_proof(tmp_path, data):
    source, out = archive(tmp_path / "in", 2), tmp_path / "out"
    signed(data, "--input", source, "--output", out)
    results = files(out)
    (out / "0000.jpg").unlink()
    assert counts(signed(data, "--input", source, "--output", out, "--resume")) == (1, 0, 1)
    assert files(out) == results and proofs(data) == 2


def test_a_file_that_changed_is_a_new_one(tmp_path, data):
    source, out = archive(tmp_path / "in", 3), tmp_path / "out"
    arguments = ["--input", source, "--output", out]
    signed(data, *arguments)
    results = files(out)
    (source / "0001.jpg").write_bytes(smallest()["jpeg"])
    (source / "0002.jpg").touch()
    status, report, _ = batch_sign(data, *arguments, "--resume")
    assert (status, counts(report)) == (1, (0, 1, 2)) and files(out) == results
    row = by_name(report)["0001.jpg"]
    assert "changed" in row["note"] and "--overwrite" in row["reason"]
    report = signed(data, *arguments, "--resume", "--overwrite")
    assert counts(report) == (1, 0, 2) and "changed" in by_name(report)["0001.jpg"]["note"]
    assert proofs(data) == 4 and files(out)["0001.jpg"] != results["0001.jpg"]


def test_a_journal_belongs_to_its_batch(tmp_path, data):
    source, out = archive(tmp_path / "in", 2), tmp_path / "out"
    (source / "broken.jpg").write_bytes(b"")
    arguments = ["--input", source, "--output", out]
    assert batch_sign(data, *arguments)[0] == 1
    for wrong, word in ((arguments, "--resume"), ([*arguments, "--resume", "--creator", "Jane"], "other options")):
        status, report, stderr = batch_sign(data, *wrong)
        assert (status, report) == (2, None) and word in stderr
    (source / "broken.jpg").unlink()
    archive(source, 3)
    report = signed(data, *arguments, "--resume")
    assert counts(report) == (1, 0, 2), "what came since is signed too"
    status, report, _ = batch_sign(data, *arguments)
    assert (status, counts(report)) == (1, (0, 3, 0)), "a batch that is done may be begun anew"


def test_two_runs_do_not_share_a_journal(tmp_path, data):
    source, out = archive(tmp_path / "in", 20), tmp_path / "out"
    first = started(data, "--input", source, "--output", out, "--max-rate", "5", "--parallel", "1")
    next(rows(first))
    status, _, stderr = batch_sign(data, "--input", source, "--output", out, "--resume")
    assert status == 2 and "has not ended" in stderr
    first.kill()
    ended(first)
    signed(data, "--input", source, "--output", out, "--resume")
    assert proofs(data) == 20


def test_ctrl_c_ends_in_order_and_says_how_to_go_on(tmp_path, data):
    source, out = archive(tmp_path / "in", 30), tmp_path / "out"
    process = started(data, "--input", source, "--output", out, "--max-rate", "10", "--parallel", "2")
    told = rows(process)
    next(told)
    process.send_signal(signal.SIGINT)
    summary = list(told)[-1]["summary"]
    status, stderr = ended(process)
    assert status == 1 and "--resume" in stderr
    assert summary["left"] > 0 and summary["total"] + summary["left"] == 30 and summary["failed"] == 0
    assert proofs(data) == summary["success"] == len(files(out))
    assert counts(signed(data, "--input", source, "--output", out, "--resume"))[0] == summary["left"]
    assert proofs(data) == 30


def test_the_second_ctrl_c_is_the_end(tmp_path, data):
    """Of a run that waits for a service which does not answer."""
    import socket

    archive(tmp_path / "in", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = started(data, "--input", tmp_path / "in", "--output", tmp_path / "out", "--service", url)
        connection = silent.accept()[0]
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert process.poll() is None, "what runs is waited for"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        connection.close()
        ended(process)


def test_the_journal_has_every_proof(tmp_path, data):
    source, out = archive(tmp_path / "in", 3), tmp_path / "out"
    report = signed(data, "--input", source, "--output", out)
    lines = [json.loads(line) for line in (out / ".credlink-batch.jsonl").read_text().splitlines()]
    noted = {line["file"]: line["proofUri"] for line in lines if line["line"] == "signed"}
    assert noted == {name: row["proofUri"] for name, row in by_name(report).items()}
