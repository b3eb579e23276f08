"""The score: six rows with reasons, and the examples that callers of the first system know."""

import json

import pytest

import credlink
from c2pa_writer import Manifest
from cose import Signature
from hostile import leaf, picture, report_of, root, small, stamp_root
from test_hostile_signatures import flipped

ROWS = {"hasManifest": 20, "signatureValid": 30, "certificateValid": 25, "hasProofUri": 10, "proofFound": 10, "proofsMatch": 5}


def assert_score(report: dict, earned: list[str]) -> None:
    """These rows and no others have earned their points, and each says why."""
    assert {row["check"]: row["of"] for row in report["score"]} == ROWS
    assert [row["check"] for row in report["score"] if row["points"]] == earned, report["score"]
    assert report["confidence"] == sum(ROWS[check] for check in earned)
    assert report["details"] == {check: check in earned for check in ROWS}
    assert all(row["points"] in (0, row["of"]) and row["reason"] for row in report["score"])


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """An image that was signed here, and the folder with its proof."""
    folder = tmp_path_factory.mktemp("score")
    (folder / "photo.png").write_bytes(small("png"))
    done = credlink.run("sign", folder / "photo.png", "-o", folder / "signed.png", "--data", folder / "data")
    assert done.returncode == 0, done.stderr
    return folder


def verified(image, data, *arguments) -> dict:
    """What `credlink verify --json` says."""
    return json.loads(credlink.run("verify", image, "--json", "--data", data, *arguments).stdout)


def test_perfect(signed):
    report = verified(signed / "signed.png", signed / "data")
    assert_score(report, list(ROWS))
    assert report["confidence"] == 100


def test_good_is_a_proof_that_is_not_found(signed, tmp_path):
    anchors = signed / "data" / "keys" / "root.pem"
    report = verified(signed / "signed.png", tmp_path / "elsewhere", "--trust-anchors", anchors)
    assert_score(report, ["hasManifest", "signatureValid", "certificateValid", "hasProofUri"])
    assert (report["confidence"], report["valid"]) == (85, True)


def test_fair_is_a_credential_that_names_no_proof(tmp_path):
    image = picture(Manifest(Signature(leaf())))
    report = report_of(image, tmp_path, root().pem, stamp_root().pem)
    assert_score(report, ["hasManifest", "signatureValid", "certificateValid"])
    assert (report["confidence"], report["valid"]) == (75, True)


def test_partial_is_a_manifest_and_nothing_more(tmp_path):
    image = picture(Manifest(Signature(leaf()), bend_signature=flipped))
    report = report_of(image, tmp_path, stamp_root().pem, stamp_root().pem)
    assert_score(report, ["hasManifest"])
    assert (report["confidence"], report["valid"]) == (20, False)


def test_nothing(tmp_path):
    report = report_of(small("jpeg"), tmp_path, root().pem, stamp_root().pem)
    assert_score(report, [])
    assert (report["confidence"], report["valid"], report["state"]) == (0, False, "none")
