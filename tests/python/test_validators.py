"""Independent validators accept everything that is signed."""

import json

import pytest

from credlink import ALGORITHMS, SOURCE_TYPES
from images import corpus
from validators import assert_valid, c2pa_python, encypher

EVERYTHING = {
    "creator": "Zoë Ağaoğlu 山田",
    "title": 'A "title" <with> & signs',
    "digitalSourceType": "digitalCapture",
    "training": "notAllowed",
    "customAssertions": json.dumps(
        [
            {"label": "com.example.desk", "data": {"id": 7, "deep": {"list": [1, 2.5, None, True, "ü"]}}},
            {"label": "com.example.other", "data": {"empty": {}}},
        ]
    ),
}


@pytest.mark.parametrize("sample", corpus())
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_first_and_third_signature_are_trusted(services, algorithm, sample):
    service = services(algorithm)
    first = service.sign(corpus()[sample])
    assert_valid(first, service.root_pem)
    third = service.sign(service.sign(first, **EVERYTHING))
    assert_valid(third, service.root_pem)
    assert len(c2pa_python(third, None).raw["manifests"]) == 3


@pytest.mark.parametrize("sample", corpus())
def test_with_everything_a_caller_may_say(service, sample):
    signed = service.sign(corpus()[sample], **EVERYTHING)
    assert_valid(signed, service.root_pem)


@pytest.mark.parametrize("sample", ["jpeg-baseline", "png-palette", "webp-lossy"])
@pytest.mark.parametrize(
    "fields",
    [
        {"creator": "Somebody"},
        {"title": "Something"},
        {"digitalSourceType": "trainedAlgorithmicMedia"},
        {"digitalSourceType": SOURCE_TYPES + "digitalCapture"},
        {"training": "allowed"},
        {"training": "constrained"},
        {"customAssertions": json.dumps([{"label": "com.example.one", "data": {"a": 1}}])},
        {"customAssertions": json.dumps([{"label": f"com.example.n{n}", "data": {"a": n}} for n in range(32)])},
        # More than one APP11 segment holds.
        {"customAssertions": json.dumps([{"label": "com.example.long", "data": {"text": "x" * 200_000}}])},
    ],
    ids=lambda fields: next(iter(fields)) + "-" + str(len(next(iter(fields.values())))),
)
def test_with_one_thing_a_caller_may_say(service, sample, fields):
    signed = service.sign(corpus()[sample], **fields)
    assert_valid(signed, service.root_pem)
    assert_valid(service.sign(signed, **fields), service.root_pem)


@pytest.mark.parametrize("sample", ["jpeg-baseline", "png-palette", "webp-lossy"])
def test_signed_by_other_services_in_turn(services, sample):
    """Each service keeps the credentials of the others as history."""
    image = corpus()[sample]
    roots = ""
    for algorithm in ALGORITHMS:
        service = services(algorithm)
        image = service.sign(image)
        roots += service.root_pem
    # A service that does not know the signer before it writes so into the ingredient.
    assert_valid(image, roots, history=False)
    for validate in (c2pa_python, encypher):
        assert set(validate(image, roots).history) <= {"signingCredential.untrusted"}


@pytest.mark.parametrize("sample", corpus())
def test_our_own_report_agrees(service, sample):
    signed = service.sign(corpus()[sample])
    report = service.verify(signed)
    assert report["valid"] is True, report
    assert report["state"] == "trusted"
    assert report["confidence"] == 100
    assert all(report["details"].values()), report["details"]
    assert report["extraction"]["source"] == "jumbf"
    assert sum(row["points"] for row in report["score"]) == 100
    assert len(report["score"]) == 6
    assert report["substitution"] is None
