"""Images stay provable when their certificate expires, for us and for other validators."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest

import authorities
import credlink
from authorities import DAY, NOW, Holder
from credlink import run
from images import smallest
from time_stamp_server import TimeStampServer
from validators import c2pa_python, encypher

C2PA = {"Accept": "application/c2pa"}
END = NOW + 20 * DAY
"""When the certificate of the signer ends."""

OUTSIDE, UNTRUSTED = "claimSignature.outsideValidity", "signingCredential.untrusted"


def at(when) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def tsa():
    """An authority that stamps."""
    server = TimeStampServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def issuer() -> Holder:
    """Who issues certificates to signers."""
    return authorities.root("Root")


@pytest.fixture
def settings(tmp_path: Path, tsa, issuer) -> dict[str, str]:
    """A service whose certificate ends soon. It signs without time-stamps."""
    signer = issuer.leaf(name="Signer", not_before=NOW - 100 * DAY, not_after=END)
    for name, text in {
        "signer.pem": signer.key_pem + signer.pem, "root.pem": issuer.pem, "tsa.pem": tsa.root.pem,
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    return {
        "SIGNING_CERTIFICATE": str(tmp_path / "signer.pem"),
        "ISSUER_CERTIFICATE": str(tmp_path / "root.pem"),
        "TSA_ANCHORS": str(tmp_path / "tsa.pem"),
    }


def signed(data: Path, tmp_path: Path, settings: dict[str, str], name: str) -> Path:
    source, image = tmp_path / "source", tmp_path / f"signed-{name}"
    source.write_bytes(smallest()[name])
    done = run("sign", source, "-o", image, "--data", data, env=settings)
    assert done.returncode == 0, done.stderr.decode()
    return image


def restamp(data: Path, settings: dict[str, str], *arguments: str) -> dict:
    """What the job counted."""
    done = run("jobs", "run", "proof-restamp", "--json", "--data", data, *arguments, env=settings)
    assert done.returncode == 0, (done.stdout.decode(), done.stderr.decode())
    return json.loads(done.stdout)["counts"]


def report_of(image: Path, data: Path, settings: dict[str, str], when) -> dict:
    return json.loads(run("verify", image, "--json", "--data", data, "--at", at(when), env=settings).stdout)


@pytest.mark.parametrize("name", smallest())
def test_a_stamp_that_comes_later_counts_for_everybody(tmp_path, data, tsa, issuer, settings, name):
    image = signed(data, tmp_path, settings, name)
    later = END + 10 * DAY
    assert not report_of(image, data, settings, later)["valid"]
    counts = restamp(data, settings | {"TIMESTAMP_URL": tsa.url})
    assert (counts["due"], counts["stamped"], counts["failed"]) == (1, 1, {}), counts
    assert len(tsa.requests) >= 2
    report = report_of(image, data, settings, later)
    codes = {status["code"] for status in report["status"]}
    assert (report["state"], report["valid"]) == ("trusted", True), report
    assert {"timeStamp.trusted", "com.credlink.timeStamp.kept"} <= codes, report
    assert report["certificate"]["timeSource"] == "timestamp"

    service = credlink.start(data, tmp_path / "log", **settings)
    try:
        uri = f"{service.url}/proofs/{report['proof']['id']}"
        stamped = service.session.get(uri, headers=C2PA, timeout=credlink.DEADLINE).content
        embedded = service.session.get(f"{uri}?store=embedded", headers=C2PA, timeout=credlink.DEADLINE).content
    finally:
        service.stop()
    assert report["proof"]["manifestHash"] == hashlib.sha256(embedded).hexdigest()
    # Behind the header of the store.
    assert embedded[38:] in stamped, "what was signed is there, to the byte"
    content = image.read_bytes()
    theirs = c2pa_python(content, issuer.pem, tsa.root.pem, store=stamped)
    assert (theirs.state, theirs.history) == ("Trusted", ()), theirs.raw
    expected = {embedded: ("Valid", {OUTSIDE, UNTRUSTED}), stamped: ("Trusted", set())}
    if name == "webp" and len(embedded) % 2:
        # It counts the byte by which a chunk of odd length is padded to the store that an update replaces.
        expected[stamped] = ("Invalid", {"assertion.dataHash.mismatch"})
    for store, (state, failures) in expected.items():
        verdict = encypher(content, issuer.pem, tsa.root.pem, store=store, at=at(later))
        assert (verdict.state, set(verdict.failures)) == (state, failures), verdict.raw


def test_without_an_authority_the_report_tells_what_expires(tmp_path, data, settings):
    signed(data, tmp_path, settings, next(iter(smallest())))
    counts = restamp(data, settings, "--dry-run")
    assert (counts["willExpire"], counts["stamped"]) == (1, 0), counts
    assert counts["willExpirePerDay"] == {END.strftime("%Y-%m-%d"): 1}
    assert counts["willExpireProofs"][0]["expiresAt"] == END.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def test_an_authority_that_fails_changes_nothing(tmp_path, data, tsa, settings):
    image = signed(data, tmp_path, settings, next(iter(smallest())))
    tsa.mode = "other"
    counts = restamp(data, settings | {"TIMESTAMP_URL": tsa.url})
    assert (counts["stamped"], counts["failed"]) == (0, {"the time-stamp authority failed": 1}), counts
    assert not report_of(image, data, settings, END + timedelta(days=1))["valid"]
