"""What a signed image asserts, and where: the traits that the conformance rubric for C2PA 2.4 looks at."""

import datetime
import json
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID

from containers import STORE, parts
from credlink import ALGORITHMS, COSE_NAMES, SOURCE_TYPES
from images import corpus
from manifest_store import active_manifest, manifests
from validators import encypher

FORMATS = ["jpeg-baseline", "png-palette", "webp-lossy"]

COSE_IDS = {"ps256": -37, "es256": -7, "es384": -35, "ed25519": -8}

LABEL = re.compile(r"urn:c2pa:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

DEPRECATED = re.compile(
    r"c2pa\.actions(__\d+)?$|c2pa\.ingredient(\.v2)?(__\d+)?$|stds\..*|c2pa\.hash\.data\.part|c2pa\.metadata"
)


@pytest.fixture(scope="module", params=FORMATS)
def image(request) -> bytes:
    return corpus()[request.param]


def test_claim_is_version_2_for_specification_2_4(service, image):
    manifest = active_manifest(service.sign(image))
    assert manifest.claim_label == "c2pa.claim.v2"
    generator = manifest.claim["claim_generator_info"]
    assert generator["specVersion"] == "2.4.0"
    assert generator["name"] and generator["version"]
    assert LABEL.fullmatch(manifest.label)


def test_created_says_what_the_caller_says(service, image):
    manifest = active_manifest(service.sign(image, digitalSourceType="trainedAlgorithmicMedia"))
    actions = manifest.assertions["c2pa.actions.v2"]
    assert actions["allActionsIncluded"] is True
    assert actions["actions"][0]["action"] == "c2pa.created"
    assert actions["actions"][0]["digitalSourceType"] == SOURCE_TYPES + "trainedAlgorithmicMedia"
    assert [action["action"] for action in actions["actions"]].count("c2pa.created") == 1
    assert "c2pa.actions.v2" in manifest.created
    assert not [label for label in manifest.assertions if label.startswith("c2pa.ingredient")]


def test_opened_when_nobody_says_what_it_is(service, image):
    manifest = active_manifest(service.sign(image))
    actions = manifest.assertions["c2pa.actions.v2"]
    assert actions["allActionsIncluded"] is True
    first = actions["actions"][0]
    assert first["action"] == "c2pa.opened"
    assert "digitalSourceType" not in first
    assert "c2pa.actions.v2" in manifest.created
    ingredient = manifest.assertions["c2pa.ingredient.v3"]
    assert ingredient["relationship"] == "parentOf"
    assert "activeManifest" not in ingredient
    (reference,) = first["parameters"]["ingredients"]
    assert reference["url"].endswith("/c2pa.ingredient.v3")


def test_earlier_credential_becomes_the_parent(service, image):
    first = service.sign(image, digitalSourceType="digitalCapture")
    second = service.sign(first, digitalSourceType="digitalCapture")
    parent, manifest = manifests(second)
    assert parent.label == active_manifest(first).label
    assert manifest.assertions["c2pa.actions.v2"]["actions"][0]["action"] == "c2pa.opened"
    ingredient = manifest.assertions["c2pa.ingredient.v3"]
    assert ingredient["relationship"] == "parentOf"
    assert parent.label in ingredient["activeManifest"]["url"]


def test_nothing_deprecated(service, image):
    everything = {"creator": "Somebody", "title": "Something", "training": "allowed"}
    manifest = active_manifest(service.sign(service.sign(image, **everything), **everything))
    assert not [label for label in manifest.assertions if DEPRECATED.match(label)]
    verdict = encypher(service.sign(image, **everything), service.root_pem)
    versions = verdict.raw["manifest_report"]["version_verdict"]["evaluations"]
    (newest,) = [entry for entry in versions if entry["version"] == "2.4"]
    assert newest["structure_conformant"] and not newest["deprecations"], newest


def test_conformance_programme_misses_only_what_others_give(service, image):
    """A time stamp and a revocation answer come from a time-stamp authority and a responder, which are not here."""
    signed = service.sign(service.sign(image, creator="Somebody"), training="allowed")
    failures = encypher(signed, service.root_pem, strict=True).failures
    assert set(failures) <= {
        "com.encypher.conformance.trustedTimeStampMissing",
        "com.encypher.conformance.revocationInformationMissing",
    }


def test_one_hard_binding_that_excludes_the_store_alone(service, image):
    signed = service.sign(image)
    manifest = active_manifest(signed)
    bindings = [label for label in manifest.assertions if label.startswith("c2pa.hash.")]
    assert bindings == ["c2pa.hash.data"]
    assert "c2pa.hash.data" in manifest.created
    (exclusion,) = manifest.assertions["c2pa.hash.data"]["exclusions"]
    start = 0
    store = []
    for name, content in parts(signed):
        if name == STORE:
            # The pad byte of a RIFF chunk is no part of the store: it is hashed.
            odd = content.startswith(b"C2PA") and content[4] % 2
            store.append((start, len(content) - odd))
        start += len(content)
    assert exclusion["start"] == store[0][0]
    assert exclusion["length"] == sum(length for _, length in store)


def test_soft_binding_is_an_image_code(service, image):
    manifest = active_manifest(service.sign(image))
    binding = manifest.assertions["c2pa.soft-binding"]
    assert binding["alg"] == "io.iscc.v0"
    (block,) = binding["blocks"]
    assert len(block["value"]) == 34
    # ISO 24138: main type Content, sub type Image, version 0, length 256 bit.
    assert block["value"][:2] == b"\x21\x07"


def test_proof_says_where_and_until_when(service, image):
    response = service.post_sign(image)
    manifest = active_manifest(response.content)
    proof = manifest.assertions["com.credlink.proof"]
    assert set(proof) == {"uri", "expiresAt"}
    assert proof["uri"] == response.headers["X-Proof-Uri"]
    assert proof["uri"].endswith("/" + manifest.label.removeprefix("urn:c2pa:"))
    expires = datetime.datetime.fromisoformat(proof["expiresAt"])
    days = (expires - datetime.datetime.now(datetime.UTC)).days
    assert 364 <= days <= 366


def test_what_the_caller_says_is_gathered(service, image):
    custom = [{"label": "com.example.desk", "data": {"id": 7, "of": ["a", {"b": None}]}}]
    signed = service.sign(
        image, creator="Zoë 山田", title="Harbour", training="notAllowed", customAssertions=json.dumps(custom)
    )
    manifest = active_manifest(signed)
    caller_says = {"cawg.metadata", "cawg.training-mining", "com.example.desk"}
    assert caller_says <= set(manifest.gathered)
    assert not caller_says & set(manifest.created)
    metadata = manifest.assertions["cawg.metadata"]
    assert metadata["@context"]["dc"] == "http://purl.org/dc/elements/1.1/"
    assert metadata["dc:creator"] == ["Zoë 山田"]
    assert metadata["dc:title"] == "Harbour" or metadata["dc:title"]["x-default"] == "Harbour"
    entries = manifest.assertions["cawg.training-mining"]["entries"]
    assert entries and all(entry["use"] == "notAllowed" for entry in entries.values())
    assert manifest.assertions["com.example.desk"] == custom[0]["data"]


def test_nothing_is_gathered_when_the_caller_says_nothing(service, image):
    assert not active_manifest(service.sign(image)).gathered


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_chain_is_protected_leaf_first_without_the_root(services, algorithm):
    service = services(algorithm)
    manifest = active_manifest(service.sign(corpus()["jpeg-baseline"]))
    assert manifest.protected[1] == COSE_IDS[COSE_NAMES[algorithm]]
    assert 33 not in manifest.unprotected and "x5chain" not in manifest.unprotected
    leaf, *issuers = manifest.chain
    assert issuers, "no intermediate"
    for certificate, issuer in zip(manifest.chain, issuers):
        certificate.verify_directly_issued_by(issuer)
    assert all(certificate.issuer != certificate.subject for certificate in manifest.chain)
    root = x509.load_pem_x509_certificate(service.root_pem.encode())
    issuers[-1].verify_directly_issued_by(root)
    assert root.fingerprint(hashes.SHA256()) not in [c.fingerprint(hashes.SHA256()) for c in manifest.chain]
    assert_leaf_profile(leaf)


def assert_leaf_profile(leaf) -> None:
    """C2PA 2.4, section 14.5."""
    extensions = leaf.extensions
    usage = extensions.get_extension_for_oid(ExtensionOID.KEY_USAGE)
    assert usage.critical and usage.value.digital_signature and not usage.value.key_cert_sign
    purposes = {
        oid.dotted_string for oid in extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    }
    assert "1.3.6.1.4.1.62558.2.1" in purposes
    assert purposes & {"1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36"}
    assert "2.5.29.37.0" not in purposes
    assert extensions.get_extension_for_oid(ExtensionOID.BASIC_CONSTRAINTS).value.ca is False
    assert extensions.get_extension_for_oid(ExtensionOID.AUTHORITY_KEY_IDENTIFIER).value.key_identifier
    names = {attribute.rfc4514_attribute_name for attribute in leaf.subject}
    assert {"O", "CN"} <= names
    lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert 90 <= lifetime.days <= 366


def test_signature_leaves_little_padding(service, image):
    """A reserve of 10 KB would be 10 KB of zeros in every image."""
    manifest = active_manifest(service.sign(image))
    pads = [value for key, value in manifest.unprotected.items() if key in ("pad", "pad2")]
    assert sum(map(len, pads)) < 300
    assert not any(any(pad) for pad in pads)
