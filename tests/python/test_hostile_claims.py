"""Hostile claims: not there, twice, not CBOR, not what a claim is, and bound to nothing."""

import functools
from collections.abc import Callable
from dataclasses import replace

import cbor2

from c2pa_writer import CLAIM, Manifest, box, data_hash, superbox
from cose import Signature
from hostile import Case, judge, leaf, picture, table


def manifest(**how) -> Manifest:
    """A manifest with nothing wrong but what `how` says."""
    return Manifest(Signature(leaf()), **how)


def bent(kind: str = "png", **how) -> Callable[[], bytes]:
    """An image with such a manifest."""
    return lambda: picture(manifest(**how), kind=kind)


def encoded(claim: bytes) -> Callable[[], bytes]:
    """An image whose claim is these bytes, well signed."""
    return bent(encode_claim=lambda _: claim)


def says(**fields: object) -> Callable[[], bytes]:
    """An image whose claim says this; a field that is None is left out."""
    return bent(bend_claim=lambda claim: {n: v for n, v in (claim | fields).items() if v is not None})


def says_first(**fields: object) -> Callable[[], bytes]:
    """The same with a claim of version 1."""
    bend = lambda claim: {n: v for n, v in (claim | fields).items() if v is not None}
    return bent(claim_version=1, bend_claim=bend)


def without_claim(boxes: list[bytes]) -> list[bytes]:
    return [boxes[0], boxes[2]]


def two_claims(boxes: list[bytes]) -> list[bytes]:
    return [boxes[0], boxes[1], boxes[1], boxes[2]]


def claim_of(*contents: bytes) -> Callable[[list[bytes]], list[bytes]]:
    """The boxes of a manifest with another claim box."""
    return lambda boxes: [boxes[0], superbox(CLAIM, "c2pa.claim.v2", *contents), boxes[2]]


MISSING = [
    Case(f"no claim, {kind}", bent(kind, bend_boxes=without_claim), "invalid", ["claim.missing"])
    for kind in ("jpeg", "png", "webp")
] + [
    Case("two claims", bent(bend_boxes=two_claims), "invalid", ["claim.multiple"]),
    Case("an empty claim box", bent(bend_boxes=claim_of()), "invalid", ["claim.missing"]),
    Case("a claim in JSON", bent(bend_boxes=claim_of(box(b"json", b"{}"))), "invalid", ["claim.missing"]),
    Case("a claim of no bytes", encoded(b""), "invalid", ["claim.cbor.invalid"]),
]

MALFORMED_CBOR = {
    "ends early": cbor2.dumps({"instanceID": "x" * 100})[:-50],
    "reserved additional information": b"\xa1\x61a\x1c",
    "a break with nothing to break": b"\xff",
    "an open map without its end": b"\xbf\x61a\x01",
    "an open string of numbers": b"\x7f\x01\xff",
    "an array of 2^64 - 1 elements": b"\x9b" + b"\xff" * 8,
    "a string of 2^63 bytes": b"\x5b\x80" + bytes(7),
    "a map of 2^32 - 1 pairs": b"\xba\xff\xff\xff\xff\x01",
    "arrays 1 000 deep, without an end": b"\x81" * 1000,
    "tags 100 000 deep, without an end": b"\xc6" * 100_000,
    "arrays 1 000 deep, well-formed": b"\x81" * 1000 + b"\x00",
    "maps 1 000 deep, well-formed": b"\xa1\x00" * 1000 + b"\x00",
    "tags 100 000 deep, well-formed": b"\xc6" * 100_000 + b"\x00",
    "a simple value in two bytes below 32": b"\xa1\x61a\xf8\x01",
}

NOT_A_CLAIM = {
    "a number": cbor2.dumps(7),
    "an array": cbor2.dumps([1, 2]),
    "null": cbor2.dumps(None),
    "an empty map": cbor2.dumps({}),
}

CBOR_CASES = [
    Case(f"claim CBOR: {name}", encoded(claim), "invalid", ["claim.cbor.invalid"])
    for name, claim in MALFORMED_CBOR.items()
] + [
    Case(f"claim that is {name}", encoded(claim), "invalid", ["claim.malformed"])
    for name, claim in NOT_A_CLAIM.items()
]

FIELDS = [
    *(
        Case(f"claim without {name}", says(**{name: None}), "invalid", ["claim.malformed"])
        for name in ("instanceID", "signature", "created_assertions", "claim_generator_info")
    ),
    *(
        Case(f"first claim without {name}", says_first(**{name: None}), "invalid", ["claim.malformed"])
        for name in ("instanceID", "signature", "assertions", "claim_generator")
    ),
    Case("claim generator without a name", says(claim_generator_info={"version": "1"}), "invalid", ["claim.malformed"]),
    Case("instanceID is a number", says(instanceID=7), "invalid", ["claim.malformed"]),
    Case("created assertions are a map", says(created_assertions={}), "invalid", ["claim.malformed"]),
    Case("created assertions are numbers", says(created_assertions=[1, 2]), "invalid", ["claim.malformed"]),
    Case("algorithm of the claim: md5", says(alg="md5"), "invalid", ["algorithm.unsupported"]),
    Case("algorithm of the claim: nothing", says(alg=""), "invalid", ["algorithm.unsupported"]),
]

BINDINGS = [
    Case("no hard binding, jpeg", bent("jpeg", bind=lambda hole: []), "invalid", ["claim.hardBindings.missing"]),
    Case("no hard binding, png", bent("png", bind=lambda hole: []), "invalid", ["claim.hardBindings.missing"]),
    Case("no hard binding, webp", bent("webp", bind=lambda hole: []), "invalid", ["claim.hardBindings.missing"]),
    Case(
        "two hard bindings",
        bent(bind=lambda hole: [data_hash(hole), replace(data_hash(hole), label="c2pa.hash.data__1")]),
        "invalid",
        ["assertion.multipleHardBindings"],
        encypher="Trusted",
        because="it does not count hard bindings; a manifest has exactly one (9.2)",
    ),
]


def bound(kind: str = "png", **fields: object) -> Callable[[], bytes]:
    """An image whose data hash says this."""
    return bent(kind, bind=lambda hole: [data_hash(hole, **fields)])


def excluding(ranges: Callable[[int, int], list[dict]]) -> Callable[[], bytes]:
    """An image whose data hash leaves these ranges out."""
    return bent(bind=lambda hole: [data_hash(hole, exclusions=ranges(hole.start, hole.length), pad=bytes(64))])


MISMATCH, MALFORMED = "assertion.dataHash.mismatch", "assertion.dataHash.malformed"

DATA_HASHES = [
    *(
        Case(f"hash of something else, {kind}", bound(kind, hash=bytes(32)), "invalid", [MISMATCH])
        for kind in ("jpeg", "png", "webp")
    ),
    Case("hash of no bytes", bound(hash=b""), "invalid", [MISMATCH]),
    Case("hash is text", bound(hash="x" * 32), "invalid", [MALFORMED]),
    Case("hash is missing", bound(hash=None), "invalid", [MALFORMED]),
    Case("hash of an unknown kind", bound(alg="md5"), "invalid", ["algorithm.unsupported"]),
    Case("no exclusions", bound(exclusions=[]), "invalid", [MISMATCH]),
    Case(
        "an exclusion after the file",
        excluding(lambda start, length: [{"start": start, "length": length}, {"start": 1 << 40, "length": 1}]),
        "invalid",
        [MISMATCH],
    ),
    Case(
        "exclusions in the wrong order",
        excluding(lambda start, length: [{"start": start, "length": length}, {"start": 0, "length": 8}]),
        "invalid",
        [MALFORMED],
    ),
    Case(
        "exclusions that overlap",
        excluding(lambda start, length: [{"start": start, "length": length}, {"start": start + 1, "length": 8}]),
        "invalid",
        [MALFORMED],
        c2pa="Trusted",
        because="it hashes around whatever it is told; exclusions neither overlap nor go back (18.5)",
    ),
    Case(
        "an exclusion of negative length",
        excluding(lambda start, length: [{"start": start, "length": -length}]),
        "invalid",
        [MALFORMED],
    ),
    Case(
        "an exclusion that overflows",
        excluding(lambda start, length: [{"start": (1 << 64) - 1, "length": (1 << 64) - 1}]),
        "invalid",
        # The C2PA library takes a number of 64 bits for a fault of the CBOR.
        [MALFORMED, "assertion.cbor.invalid"],
    ),
    Case(
        "the whole file excluded",
        excluding(lambda start, length: [{"start": 0, "length": 10_000_000}]),
        "invalid",
        [MISMATCH],
    ),
]


@functools.cache
def good() -> bytes:
    """The plain file."""
    return picture(manifest())


def test_the_plain_file_is_trusted(tmp_path):
    judge(Case("plain", good, "trusted", says=["claimSignature.validated", "assertion.dataHash.match"]), tmp_path)


@table(MISSING + CBOR_CASES + FIELDS)
def test_claims(case, tmp_path):
    judge(case, tmp_path)


@table(BINDINGS + DATA_HASHES)
def test_hard_bindings(case, tmp_path):
    judge(case, tmp_path)
