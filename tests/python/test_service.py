"""The service over its life: headers, proofs, restart, shutdown."""

import hashlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

import credlink
from containers import manifest_store
from credlink import DEADLINE
from images import corpus
from manifest_store import active_manifest


@pytest.fixture
def folder(tmp_path, data):
    """A data folder with keys, and where to log."""
    credlink.make_keys(data, "p-256")
    return data, tmp_path / "service.log"


def test_headers_of_a_signed_image(service):
    response = service.post_sign(corpus()["jpeg-baseline"], name='../evil "name".jpg', kind="image/png")
    headers = response.headers
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["X-Manifest-Hash"] == hashlib.sha256(manifest_store(response.content)).hexdigest()
    assert float(headers["X-Processing-Time"]) >= 0
    assert headers["X-Request-Id"]
    assert ".." not in headers["Content-Disposition"] and "/" not in headers["Content-Disposition"]
    assert int(headers["Content-Length"]) == len(response.content)


def test_proof_in_its_three_forms(service):
    signed = service.post_sign(corpus()["png-texts"])
    identity = active_manifest(signed.content).label.removeprefix("urn:c2pa:")
    url = f"{service.url}/proofs/{identity}"
    record = service.session.get(url, headers={"Accept": "application/json"})
    assert record.status_code == 200
    proof = record.json()
    assert proof["id"] == identity
    assert proof["uri"] == signed.headers["X-Proof-Uri"]
    assert proof["manifestHash"] == signed.headers["X-Manifest-Hash"]
    assert proof["imageHash"] == hashlib.sha256(corpus()["png-texts"]).hexdigest()
    store = service.session.get(url, headers={"Accept": "application/c2pa"})
    assert store.headers["Content-Type"] == "application/c2pa"
    assert store.content == manifest_store(signed.content)
    page = service.session.get(url, headers={"Accept": "text/html"})
    assert page.headers["Content-Type"].startswith("text/html")
    assert identity in page.text
    again = service.session.get(
        url, headers={"Accept": "application/json", "If-None-Match": record.headers["ETag"]}
    )
    assert again.status_code == 304 and not again.content
    assert 'rel="c2pa-manifest"' in record.headers["Link"]


def test_proof_answers_the_fetch_of_a_stranger(service):
    """The proof URI itself works as it stands, on a machine that runs with defaults."""
    uri = service.post_sign(corpus()["jpeg-baseline"]).headers["X-Proof-Uri"]
    assert re.fullmatch(r"https?://[^\s]+/[0-9a-f-]{36}", uri)
    assert f"{service.url}/proofs/{uri.rsplit('/', 1)[1]}" == uri or urlsplit(uri).hostname != "127.0.0.1"


def test_health_and_page(service):
    health = service.session.get(f"{service.url}/health")
    assert health.status_code == 200
    answer = health.json()
    assert answer["status"] == "ok" and answer["version"] and answer["uptimeSeconds"] >= 0
    assert set(answer["checks"]) == {"proofs", "signer"}
    page = service.session.get(f"{service.url}/")
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")


def test_verify_takes_a_form_as_well(service):
    signed = service.sign(corpus()["webp-lossy"])
    answer = service.session.post(f"{service.url}/verify", files={"image": ("a.webp", signed)})
    assert answer.json()["valid"] is True


def test_request_ids_differ(service):
    ids = {service.session.get(f"{service.url}/health").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


def test_many_at_once(service):
    samples = list(corpus().values())
    with ThreadPoolExecutor(16) as pool:
        signed = list(pool.map(service.sign, samples))
        reports = list(pool.map(service.verify, signed))
    assert all(report["valid"] for report in reports)
    labels = {active_manifest(image).label for image in signed}
    assert len(labels) == len(samples)


def test_proofs_outlive_a_restart(folder):
    first = credlink.start(*folder)
    signed = first.sign(corpus()["jpeg-baseline"])
    assert first.stop() == 0
    second = credlink.start(*folder)
    try:
        report = second.verify(signed)
        assert report["details"]["proofFound"] and report["details"]["proofsMatch"]
    finally:
        assert second.stop() == 0


def test_whatever_was_handed_out_is_proved_after_a_kill(folder):
    """No proof is lost that a caller knows of, and what was half written does no harm."""
    service = credlink.start(*folder)
    handed_out: list[bytes] = []
    enough = threading.Event()

    def sign_until_it_dies() -> None:
        while True:
            try:
                handed_out.append(service.sign(corpus()["jpeg-baseline"]))
            except requests.RequestException:
                return
            if len(handed_out) >= 20:
                enough.set()

    threads = [threading.Thread(target=sign_until_it_dies) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert enough.wait(DEADLINE)
    service.process.kill()
    for thread in threads:
        thread.join(DEADLINE)
    service.stop()
    again = credlink.start(*folder)
    try:
        assert all(again.verify(image)["details"]["proofsMatch"] for image in handed_out)
        again.sign(corpus()["png-texts"])
    finally:
        assert again.stop() == 0


def test_shutdown_finishes_what_runs(folder):
    service = credlink.start(*folder)
    image = corpus()["jpeg-large"]
    started = threading.Event()

    def slowly():
        boundary = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        yield boundary + image[:1000]
        started.set()
        assert asked.wait(DEADLINE)
        yield image[1000:] + b"\r\n--x--\r\n"

    asked = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        # A connection of its own: the request has begun when the health check, sent after it, is answered.
        running = pool.submit(
            requests.post, f"{service.url}/sign", data=slowly(), headers=headers, timeout=DEADLINE
        )
        assert started.wait(DEADLINE)
        assert service.is_alive()
        service.process.terminate()
        asked.set()
        assert running.result().status_code == 200
    # Not by `stop` alone: a second signal would end it at once.
    assert service.process.wait(DEADLINE) == 0
    service.stop()


def test_a_bad_setting_stops_the_start_with_one_line(folder):
    done = credlink.run(
        "serve", "--listen", "127.0.0.1:0", "--data", folder[0], env={"MAX_FILE_SIZE_MB": "plenty"}
    )
    assert done.returncode == 2
    message = done.stderr.decode().strip()
    assert len(message.splitlines()) == 1
    assert "MAX_FILE_SIZE_MB" in message and "plenty" in message


def test_address_in_use_is_said(folder, service):
    done = credlink.run("serve", "--listen", urlsplit(service.url).netloc, "--data", folder[0])
    assert done.returncode == 2
    assert urlsplit(service.url).netloc in done.stderr.decode()
