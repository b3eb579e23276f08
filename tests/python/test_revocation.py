"""Whether certificates were revoked, asked over HTTP of those who issued them."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import credlink
from authorities import DAY, NOW, Holder, pem, root
from credlink import run
from images import XMP, after_first_segments, segment, smallest
from revocation_server import RevocationServer

XMP_MARKER = b"http://ns.adobe.com/xap/1.0/\0"
"""How a segment with XMP begins."""

NOT_REVOKED, REVOKED = "signingCredential.ocsp.notRevoked", "signingCredential.ocsp.revoked"


@pytest.fixture
def issuer() -> Holder:
    """An authority under a root of its own."""
    return root("Revocation root").authority("Revocation issuer")


@pytest.fixture
def server(issuer: Holder):
    """What the issuer publishes."""
    server = RevocationServer(issuer)
    yield server
    server.close()


def leaf_of(issuer: Holder, name: str, *named) -> Holder:
    """A certificate that may sign, and names who is to be asked about it."""
    return issuer.leaf(name=name, not_before=NOW - 30 * DAY, not_after=NOW + 300 * DAY, further=named)


def signed_by(tmp_path: Path, leaf: Holder, **env: str) -> tuple[Path, dict[str, str]]:
    """An image that `leaf` signed, and the settings of who trusts its root."""
    chain, own_root = tmp_path / "chain.pem", tmp_path / "root.pem"
    chain.write_text(leaf.key_pem + "".join(pem(one) for one in leaf.chain))
    own_root.write_text(pem(leaf.root.public_bytes(Encoding.DER)))
    source, signed = tmp_path / "image", tmp_path / "signed"
    source.write_bytes(next(iter(smallest().values())))
    settings = {"SIGNING_CERTIFICATE": str(chain), "ISSUER_CERTIFICATE": str(own_root)}
    done = run("sign", source, "-o", signed, "--data", tmp_path / "data", env=settings | env)
    assert done.returncode == 0, done.stderr.decode()
    return signed, settings


def codes(signed: Path, settings: dict[str, str], *arguments: str, **env: str) -> set[str]:
    done = run("verify", signed, "--json", "--data", signed.parent / "data", *arguments, env=settings | env)
    report = json.loads(done.stdout)
    found = {entry["code"] for entry in report["status"]}
    assert report["valid"] == (REVOKED not in found), report
    assert {"signingCredential.trusted"} <= found, report
    return found


@pytest.mark.parametrize("way", ["responder", "list"])
def test_who_issued_the_certificate_is_asked(tmp_path, issuer, server, way):
    named = server.responder_named() if way == "responder" else server.list_named()
    leaf = leaf_of(issuer, f"By {way}", named)
    server.serial = leaf.certificate.serial_number
    signed, settings = signed_by(tmp_path, leaf, REVOCATION_FETCH="false")
    assert not server.asked
    asking = {"REVOCATION_PRIVATE_HOSTS": server.host}
    assert NOT_REVOKED in codes(signed, settings, **asking)
    assert server.asked == ["/ocsp" if way == "responder" else "/list.crl"]
    server.revoked = True
    assert REVOKED in codes(signed, settings, **asking)


def test_nobody_is_asked_who_is_private_or_not_wanted(tmp_path, issuer, server):
    leaf = leaf_of(issuer, "Unasked", server.responder_named(), server.list_named())
    server.revoked = True
    signed, settings = signed_by(tmp_path, leaf, REVOCATION_FETCH="false")
    assert "signingCredential.ocsp.inaccessible" in codes(signed, settings)
    asking = {"REVOCATION_PRIVATE_HOSTS": server.host}
    assert "signingCredential.ocsp.skipped" in codes(signed, settings, "--offline", **asking)
    assert "signingCredential.ocsp.skipped" in codes(signed, settings, REVOCATION_FETCH="false", **asking)
    assert not server.asked


def test_no_other_address_in_an_image_is_asked(tmp_path, server):
    address = f"http://{server.host}/store.c2pa"
    named = f'xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{address}" dc:format='
    xmp = XMP.replace(b"dc:format=", named.encode())
    picture, other = tmp_path / "picture.jpg", tmp_path / "signed.jpg"
    picture.write_bytes(after_first_segments(smallest()["jpeg"], segment(0xE1, XMP_MARKER + xmp)))
    asking = {"REVOCATION_PRIVATE_HOSTS": server.host}
    done = run("verify", picture, "--json", "--data", tmp_path / "data", env=asking)
    assert not json.loads(done.stdout)["details"]["hasManifest"]
    elsewhere = {"PROOF_URI_DOMAIN": f"http://{server.host}/proofs"}
    done = run("sign", picture, "-o", other, "--data", tmp_path / "data", env=elsewhere)
    assert done.returncode == 0, done.stderr.decode()
    done = run("verify", other, "--json", "--data", tmp_path / "another", env=asking)
    details = json.loads(done.stdout)["details"]
    assert details["hasProofUri"] and not details["proofFound"]
    assert not server.asked


def test_a_response_is_stapled_when_signing(tmp_path, issuer, server):
    leaf = leaf_of(issuer, "Stapled", server.responder_named())
    signed, settings = signed_by(tmp_path, leaf, REVOCATION_PRIVATE_HOSTS=server.host)
    assert server.asked == ["/ocsp"]
    assert NOT_REVOKED in codes(signed, settings, "--offline")
    assert server.asked == ["/ocsp"]


def test_the_service_asks_once(tmp_path, issuer, server):
    leaf = leaf_of(issuer, "Served", server.responder_named())
    signed, settings = signed_by(tmp_path, leaf, REVOCATION_FETCH="false")
    service = credlink.start(
        tmp_path / "data", tmp_path / "log", REVOCATION_PRIVATE_HOSTS=server.host, **settings
    )
    try:
        for _ in range(3):
            report = service.verify(signed.read_bytes())
            assert NOT_REVOKED in {entry["code"] for entry in report["status"]}, report
        assert server.asked == ["/ocsp"]
    finally:
        service.stop()
