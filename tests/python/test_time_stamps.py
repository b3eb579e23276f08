"""Signatures that say when they were made, by a real authority; and what happens without one."""

import ipaddress
import json
import time
from pathlib import Path

import pytest
from cryptography import x509

import credlink
from authorities import SERVER_AUTH, root
from credlink import DEADLINE, run
from images import corpus, smallest
from time_stamp_server import TimeStampServer
from validators import c2pa_python, encypher

FAR = "2099-01-01T00:00:00Z"


@pytest.fixture
def tsa():
    """An authority that stamps."""
    server = TimeStampServer()
    yield server
    server.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph on disk."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(corpus()["jpeg-exif"])
    return path


def successes(raw: dict) -> set[str]:
    return {entry["code"] for entry in raw["validation_results"]["activeManifest"]["success"]}


def codes(report: dict) -> set[str]:
    return {entry["code"] for entry in report["status"]}


def report_of(signed: Path, data: Path, *arguments: str | Path) -> dict:
    return json.loads(run("verify", signed, "--json", "--data", data, *arguments).stdout)


@pytest.mark.parametrize("algorithm", ["p-256", "rsa-2048", "ed25519"])
@pytest.mark.parametrize("name", smallest())
def test_everybody_sees_the_stamp(tmp_path, data, tsa, algorithm, name):
    credlink.make_keys(data, algorithm)
    source, signed, anchors = tmp_path / "image", tmp_path / "signed", tmp_path / "tsa.pem"
    source.write_bytes(smallest()[name])
    anchors.write_text(tsa.root.pem)
    done = run("sign", source, "-o", signed, "--tsa", tsa.url, "--data", data)
    assert done.returncode == 0, done.stderr.decode()
    own = (data / "keys" / "root.pem").read_text()
    theirs = c2pa_python(signed.read_bytes(), own, tsa.root.pem)
    assert theirs.state == "Trusted", theirs.raw
    assert {"timeStamp.validated", "timeStamp.trusted"} <= successes(theirs.raw), theirs.raw
    assert encypher(signed.read_bytes(), own, tsa.root.pem).state == "Trusted"
    report = report_of(signed, data, "--tsa-anchors", anchors)
    assert report["state"] == "trusted", report
    assert {"timeStamp.validated", "timeStamp.trusted"} <= codes(report), report
    assert report["certificate"]["timeSource"] == "timestamp"


def test_a_stamp_outlives_the_certificate_when_its_authority_is_trusted(tmp_path, data, photo, tsa):
    signed, anchors, others = tmp_path / "signed.jpg", tmp_path / "tsa.pem", tmp_path / "others.pem"
    anchors.write_text(tsa.root.pem)
    others.write_text(root("Somebody else").pem)
    done = run("sign", photo, "-o", signed, "--data", data, env={"TIMESTAMP_URL": tsa.url})
    assert done.returncode == 0, done.stderr.decode()
    assert report_of(signed, data, "--at", FAR, "--tsa-anchors", anchors)["state"] == "trusted"
    # An authority that only vouches for signers tells no time.
    for arguments in ((), ("--tsa-anchors", others), ("--trust-anchors", anchors)):
        report = report_of(signed, data, "--at", FAR, *arguments)
        assert "claimSignature.outsideValidity" in codes(report), (arguments, report)
        assert not report["valid"]


@pytest.mark.parametrize("mode", ["broken", "other", "silent"])
def test_an_authority_that_fails_is_told_and_nothing_more(tmp_path, data, photo, tsa, mode):
    tsa.mode = mode
    signed = tmp_path / "signed.jpg"
    environment = {"TIMESTAMP_TIMEOUT_MS": "300"}
    done = run("sign", photo, "-o", signed, "--tsa", tsa.url, "--data", data, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    assert b"without a time-stamp" in done.stderr
    assert report_of(signed, data)["state"] == "trusted"
    assert len(tsa.requests) == 1


def test_https_is_checked_with_the_roots_of_the_platform(tmp_path, data, photo):
    web_root = root("Web root")
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    web_server = web_root.leaf(name="Web server", purposes=(SERVER_AUTH,), further=((address, False),))
    (tmp_path / "web.pem").write_text(web_root.pem)
    tsa = TimeStampServer(web_server=web_server)
    try:
        for name, platform_roots in (
            ("known.jpg", {"SSL_CERT_FILE": str(tmp_path / "web.pem")}),
            ("unknown.jpg", {}),
        ):
            signed = tmp_path / name
            done = run("sign", photo, "-o", signed, "--tsa", tsa.url, "--data", data, env=platform_roots)
            assert done.returncode == 0, done.stderr.decode()
            assert (b"without a time-stamp" in done.stderr) == (not platform_roots), done.stderr.decode()
            assert ("timeStamp.validated" in codes(report_of(signed, data))) == bool(platform_roots)
    finally:
        tsa.close()


def test_a_service_waits_once_for_an_authority_that_is_silent(tmp_path, data, tsa):
    tsa.mode = "silent"
    service = credlink.start(data, tmp_path / "log", TIMESTAMP_URL=tsa.url, TIMESTAMP_TIMEOUT_MS="300")
    try:
        for image in smallest().values():
            service.sign(image)
        assert len(tsa.requests) == 1
    finally:
        service.stop()
    assert "left alone" in (tmp_path / "log").read_text()


def test_a_service_follows_its_lists(tmp_path, data, tsa):
    signers, times = tmp_path / "signers.pem", tmp_path / "tsa.pem"
    signers.write_text(root("Unrelated").pem)
    times.write_text(root("Somebody else").pem)
    settings = {"TRUST_ANCHORS": str(signers), "TSA_ANCHORS": str(times), "TIMESTAMP_URL": tsa.url}
    service = credlink.start(data, tmp_path / "log", **settings)
    try:
        signed = service.sign(next(iter(smallest().values())))
        assert "timeStamp.trusted" not in codes(service.verify(signed))
        times.write_text("-----BEGIN CERTIFICATE-----\nMIIBAAAA\n-----END CERTIFICATE-----\n")
        eventually(lambda: "certificate 1" in (tmp_path / "log").read_text(), service, signed)
        times.write_text(tsa.root.pem)
        eventually(lambda: "timeStamp.trusted" in codes(service.verify(signed)), service, signed)
    finally:
        service.stop()


def eventually(holds, service: credlink.Service, signed: bytes) -> None:
    """The files are looked at once a second, by requests."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, "it never became so"
        service.verify(signed)
