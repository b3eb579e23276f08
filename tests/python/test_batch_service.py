"""`batch-sign` and `batch-verify` through a service: it decides how fast, and nothing is signed twice."""

import json
import random
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

import credlink
from batches import archive, batch_sign, by_name, counts, ended, files, mixed, proofs, signed, started
from credlink import DEADLINE, run
from images import noise, saved
from validators import assert_valid


@pytest.fixture
def serve(tmp_path):
    """Starts a service with these variables, on a data folder of its own."""
    running = []

    def start(**env: str) -> credlink.Service:
        folder = tmp_path / f"service{len(running)}"
        credlink.make_keys(folder, "p-256")
        running.append(credlink.start(folder, tmp_path / f"service{len(running)}.log", **env))
        return running[-1]

    yield start
    for service in running:
        service.stop()


class Gate:
    """Stands before a service and answers in its place when a script says so: a list of (status, headers, body)."""

    def __init__(self, url: str, script: list[tuple[int, dict, dict]]) -> None:
        self.script, self.asked, gate = list(script), [], self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                gate.asked.append((time.monotonic(), self.path, dict(self.headers)))
                if gate.script:
                    status, headers, told = gate.script.pop(0)
                    self.answer(status, headers, json.dumps(told).encode())
                    return
                names = ("Content-Type", "Idempotency-Key", "X-Api-Key")
                kept = {name: self.headers[name] for name in names if name in self.headers}
                there = requests.post(url + self.path, data=body, headers=kept, timeout=DEADLINE)
                passing = ("x-", "retry-after", "ratelimit-")
                passed = {name: value for name, value in there.headers.items() if name.lower().startswith(passing)}
                self.answer(there.status_code, passed, there.content)

            def answer(self, status: int, headers: dict, body: bytes) -> None:
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def envelope(code: str) -> dict:
    return {"error": {"code": code, "message": "Not now."}}


def test_a_service_signs_short_and_long_images(tmp_path, data, serve):
    service = serve(INLINE_LIMIT_BYTES=str(1 << 20))
    source, out = mixed(tmp_path / "in"), tmp_path / "out"
    (source / "between.png").write_bytes(saved(noise(800, 600), "PNG"))
    (source / "long.png").write_bytes(saved(noise(1500, 1000), "PNG"))
    assert (source / "between.png").stat().st_size > 1 << 20 and (source / "long.png").stat().st_size > 4 << 20
    (tmp_path / "values.csv").write_text("file,title\nlong.png,Süß 山\n")
    own = tmp_path / "own.json"
    own.write_text(json.dumps([{"label": "com.example.desk", "data": {"id": 7}}]))
    said = ["--creator", "Zoë", "--assertions", own, "--values", tmp_path / "values.csv", "--training", "notAllowed"]
    report = signed(data, "--input", source, "--output", out, "--service", service.url + "/", *said)
    assert counts(report) == (5, 0, 0) and proofs(service.data) == 5 and not (data / "proofs").exists()
    for image in files(out).values():
        assert_valid(image, service.root_pem)
    manifest = json.loads(run("verify", out / "long.png", "--data", service.data, "--json").stdout)["manifest"]
    labels = {assertion["label"]: assertion["data"] for assertion in manifest["assertions"]}
    assert labels["cawg.metadata"]["dc:title"] == "Süß 山" and labels["com.example.desk"] == {"id": 7}
    done = run("batch-verify", "--input", out, "--service", service.url, "--data", data, "--format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["summary"]["states"] == {"trusted": 5}
    assert all(row["confidence"] == 100 for row in report["files"])


def test_killed_and_resumed_a_service_signs_once(tmp_path, data, serve):
    # What a killed client was waiting for belongs to it for as long as an image may take, and five seconds more.
    service = serve(IMAGE_PROCESSING_TIMEOUT_MS="1000")
    source, out = archive(tmp_path / "in", 60), tmp_path / "out"
    arguments = ["--input", source, "--output", out, "--service", service.url, "--parallel", "3"]
    chance = random.Random(3)
    for _ in range(5):
        process = started(data, *arguments, "--resume")
        try:
            process.wait(timeout=chance.uniform(0.03, 0.2))
        except Exception:
            process.kill()
        ended(process)
    success, failed, skipped = counts(signed(data, *arguments, "--resume"))
    assert (success + skipped, failed) == (60, 0)
    assert proofs(service.data) == 60 and len(files(out)) == 60


def test_a_rate_limit_is_kept(tmp_path, data, serve):
    service = serve(SIGN_RATE_LIMIT_MAX="4", RATE_LIMIT_WINDOW_MS="1500")
    source = archive(tmp_path / "in", 10)
    with Gate(service.url, []) as gate:
        report = signed(data, "--input", source, "--output", tmp_path / "out", "--service", gate.url)
        assert counts(report) == (10, 0, 0) and proofs(service.data) == 10
        # Ten images in windows of four: the pauses are waited for, not tried through.
        assert len(gate.asked) <= 16, len(gate.asked)


def test_what_passes_is_tried_again_under_the_same_key(tmp_path, data, serve):
    service = serve()
    source = archive(tmp_path / "in", 1)
    script = [
        (429, {"Retry-After": "1"}, envelope("RATE_LIMIT_EXCEEDED")),
        (502, {}, {}),
        (409, {"Retry-After": "1"}, envelope("IDEMPOTENCY_CONFLICT")),
    ]
    with Gate(service.url, script) as gate:
        began = time.monotonic()
        report = signed(data, "--input", source, "--output", tmp_path / "out", "--service", gate.url)
        assert counts(report) == (1, 0, 0) and proofs(service.data) == 1
        assert time.monotonic() - began >= 2 and len(gate.asked) == 4
        assert len({headers["idempotency-key"] for _, _, headers in gate.asked}) == 1


def test_what_does_not_pass_is_not_tried_again(tmp_path, data, serve):
    service = serve()
    source = archive(tmp_path / "in", 3)
    refusals = [
        (400, {}, envelope("VALIDATION_FAILED")),
        (409, {}, envelope("IDEMPOTENCY_CONFLICT")),
        (500, {}, envelope("CERTIFICATE_INVALID")),
    ]
    with Gate(service.url, refusals) as gate:
        out = ["--output", tmp_path / "out", "--parallel", "1", "--service", gate.url]
        status, report, _ = batch_sign(data, "--input", source, *out)
        assert (status, counts(report), len(gate.asked)) == (1, (0, 3, 0), 3)
        assert "VALIDATION_FAILED" in by_name(report)["0000.jpg"]["reason"]
        assert counts(signed(data, "--input", source, *out, "--resume")) == (3, 0, 0)


def test_a_wrong_key_is_told_for_each_file_and_asked_once(tmp_path, data, serve):
    service = serve(ENABLE_API_KEY_AUTH="true")
    made = run("keys", "api", "create", "--name", "desk", "--scope", "sign", "--json", "--data", service.data)
    key = json.loads(made.stdout)["key"]
    source = archive(tmp_path / "in", 5)
    with Gate(service.url, []) as gate:
        options = ["--input", source, "--output", tmp_path / "out", "--service", gate.url, "--parallel", "1"]
        wrong = {"CREDLINK_API_KEY": "credlink_wrong"}
        status, report, stderr = batch_sign(data, *options, env=wrong)
        assert (status, counts(report)) == (1, (0, 5, 0))
        assert all("CREDLINK_API_KEY" in row["reason"] for row in report["files"])
        assert len(gate.asked) == 1
        assert "credlink_wrong" not in json.dumps(report) + stderr
        report = signed(data, *options, "--resume", env={"CREDLINK_API_KEY": key})
    assert counts(report) == (5, 0, 0) and proofs(service.data) == 5
    assert key not in json.dumps(report) and key not in (tmp_path / "service0.log").read_text()


def test_a_service_that_is_not_there(tmp_path, data):
    """Ctrl-C is the way out of waiting for it."""
    import signal
    import socket

    archive(tmp_path / "in", 2)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        process = started(data, "--input", tmp_path / "in", "--output", tmp_path / "out", "--service", url)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        told = [json.loads(line) for line in process.stdout]
        status, _ = ended(process)
    assert status == 1 and told[-1]["summary"]["success"] == 0
    assert all("not tried again" in row["reason"] for row in told[:-1])
    assert not files(tmp_path / "out")


@pytest.mark.parametrize("answer", ["text", "no proof"])
def test_an_answer_of_somebody_else_is_not_taken_for_an_image(tmp_path, data, answer):
    archive(tmp_path / "in", 1)
    headers = {} if answer == "no proof" else {"X-Proof-Uri": "https://a.example/1"}
    with Gate("", [(200, headers, {"not": "an image"})]) as gate:
        options = ["--input", tmp_path / "in", "--output", tmp_path / "out", "--service", gate.url]
        status, report, _ = batch_sign(data, *options)
    assert (status, counts(report)) == (1, (0, 1, 0)) and not files(tmp_path / "out")
    assert "not that of a CredLink service" in report["files"][0]["reason"]
