"""Stores that are small and want much: bombs, crowds of boxes, and boxes inside boxes. They are refused and reported."""

import functools
import os
import struct
from collections.abc import Callable

import brotli

from c2pa_writer import (
    ASSERTIONS,
    COMPRESSED_MANIFEST,
    LABEL,
    STORE,
    Manifest,
    assertion,
    box,
    created_action,
    store,
    superbox,
)
from cose import Signature
from embedding import Hole, around, with_store
from hostile import Case, judge, leaf, small, table
from ingredients import past

MEGABYTE = 1_000_000
INVALID, LIMIT = ["manifest.compressed.invalid"], ["com.credlink.store.limit"]


def manifest(**how) -> Manifest:
    """A manifest with nothing wrong but what `how` says."""
    return Manifest(Signature(leaf()), **how)


def packed(content: bytes, label: str = LABEL) -> bytes:
    """A compressed manifest (C2PA 2.4, section 11.2.3)."""
    return superbox(COMPRESSED_MANIFEST, label, box(b"brob", content))


@functools.cache
def squeezed(length: int) -> bytes:
    """So many zeros, compressed."""
    return brotli.compress(bytes(length), quality=5)


def holding(*boxes: bytes, kind: str = "png") -> Callable[[], bytes]:
    """An image with a store of these boxes."""
    return lambda: around(small(kind), superbox(STORE, "c2pa", *boxes))


COMPRESSED_LENGTH = 6001


def compressed(kind: str) -> Callable[[], bytes]:
    """An image with a manifest that is compressed, as it should be."""

    def make(hole: Hole) -> bytes:
        # The place of the store must not depend on how well it compresses: noise makes up the length.
        content, noise = b"", 0
        while len(content) != COMPRESSED_LENGTH:
            noise += COMPRESSED_LENGTH - len(content) if content else 100
            further = assertion("com.example.noise", {"noise": os.urandom(noise)})
            content = brotli.compress(manifest(assertions=[created_action(), further]).box(hole))
        return store(packed(content))

    return lambda: with_store(small(kind), make)


def followed() -> bytes:
    """An image with a bomb in its history, and nothing wrong with its manifest."""
    bomb = packed(squeezed(100 * MEGABYTE), "urn:c2pa:00000000-0000-4000-8000-000000000001")
    return with_store(small("png"), lambda hole: store(bomb, manifest().box(hole)))


def nested(depth: int) -> bytes:
    """Superboxes inside each other."""
    inner = box(b"cbor", b"\xa0")
    for _ in range(depth):
        inner = superbox(b"c2ma", "a", inner)
    return inner


def crowd(count: int, kind: bytes = b"free") -> bytes:
    """A manifest with many boxes."""
    return superbox(b"c2ma", "urn:c2pa:crowd", box(kind) * count)


def many_assertions(count: int) -> Callable[[], bytes]:
    """An image with so many assertions, all right."""

    def make() -> bytes:
        more = [assertion(f"com.example.n{number}", {"n": number}) for number in range(count)]
        own = manifest(assertions=[created_action(), *more])
        return with_store(small("png"), lambda hole: store(own.box(hole)))

    return make


def numbers(count: int) -> bytes:
    """An image with an assertion of so many numbers."""
    return with_assertion({"numbers": [1] * count})


def binary(length: int) -> bytes:
    """An image with an assertion of so many bytes."""
    return with_assertion({"bytes": bytes(length)})


def with_assertion(data: dict) -> bytes:
    own = manifest(assertions=[created_action(), assertion("com.example.large", data)])
    return with_store(small("png"), lambda hole: store(own.box(hole)))


COMPRESSED = [
    *(Case(f"compressed, {kind}", compressed(kind), "trusted") for kind in ("jpeg", "png", "webp")),
    *(
        Case(f"100 MB in a compressed manifest, {kind}", holding(packed(squeezed(100 * MEGABYTE)), kind=kind), "invalid", INVALID)
        for kind in ("jpeg", "png", "webp")
    ),
    Case("2 GB in a compressed manifest", lambda: holding(packed(squeezed(100 * MEGABYTE)[:-1] + squeezed(100 * MEGABYTE)))(), "invalid", INVALID),
    Case("50 manifests that unpack to 1 MB each", lambda: holding(*[packed(squeezed(MEGABYTE), f"urn:c2pa:{number}") for number in range(50)])(), "invalid", INVALID),
    Case("a bomb in the history", followed, "invalid", INVALID),
    Case("a compressed manifest of noise", holding(packed(bytes(range(256)))), "invalid", INVALID),
    Case("a compressed manifest of no bytes", holding(packed(b"")), "invalid", INVALID),
    Case("a compressed manifest that ends early", lambda: holding(packed(brotli.compress(past(manifest()).box)[:-20]))(), "invalid", INVALID),
    Case("a compressed manifest without its box", lambda: holding(superbox(COMPRESSED_MANIFEST, "urn:c2pa:empty", box(b"free")))(), "invalid", INVALID),
    Case("a compressed manifest in a compressed manifest", lambda: holding(packed(brotli.compress(packed(brotli.compress(past(manifest()).box)))))(), "invalid", INVALID),
    Case("zeros in a compressed manifest", lambda: holding(packed(squeezed(MEGABYTE)))(), "invalid", INVALID),
    Case("deep CBOR in a compressed manifest", lambda: holding(packed(brotli.compress(manifest(encode_claim=lambda _: b"\xc6" * MEGABYTE).box(Hole(0, 0, bytes(32))))))(), "invalid", ["claim.cbor.invalid"]),
]  # fmt: skip

MISPLACED = "com.credlink.store.misplaced"
NO_LIMIT = "the specification sets no limit to the boxes of a store; every validator sets its own (11.1)"

BOXES = [
    Case("superboxes 1 000 deep", holding(nested(1000)), "invalid", LIMIT),
    Case("superboxes 100 000 deep that do not fit", lambda: holding(deep(100_000))(), "invalid", ["claim.missing"]),
    Case("10 000 boxes", holding(crowd(10_000)), "invalid", ["claim.missing", "claimSignature.missing", "assertion.missing"]),
    Case("100 000 boxes", holding(crowd(100_000)), "invalid", LIMIT),
    Case("10 000 superboxes", lambda: holding(superbox(b"c2ma", "urn:c2pa:x", box(b"cbor", b"\xa0")) * 10_000)(), "invalid", LIMIT),
    Case("400 assertions", many_assertions(400), "trusted"),
    Case("1 000 assertions", many_assertions(1000), "invalid", LIMIT, c2pa="Trusted", encypher="Trusted", because=NO_LIMIT),
    Case("100 000 numbers in an assertion", lambda: numbers(100_000), "trusted"),
    Case("1 000 000 numbers in an assertion", lambda: numbers(1_000_000), "invalid", LIMIT, c2pa="Trusted", encypher="Trusted", because=NO_LIMIT),
    Case("1 MB of bytes in an assertion", lambda: binary(MEGABYTE), "trusted"),
    Case("4 MB of bytes in an assertion", lambda: binary(4 * MEGABYTE), "invalid", LIMIT, c2pa="Trusted", encypher="Trusted", because=NO_LIMIT),
    Case("a box that is longer than the store", holding(b"\x7f\xff\xff\xffcbor"), "invalid", ["claim.missing"]),
    Case("a box of length 0", holding(b"\0\0\0\0cbor"), "invalid", ["claim.missing"]),
    Case("a box of 2^64 - 1 bytes", holding(b"\0\0\0\1cbor" + b"\xff" * 8), "invalid", ["claim.missing"]),
    Case("a box of length 7", holding(b"\0\0\0\7cbor"), "invalid", ["claim.missing"]),
    Case("a description without a label", lambda: around(small("png"), box(b"jumb", box(b"jumd", bytes(16), b"\0"))), "invalid", ["claim.missing", MISPLACED]),
    Case("a label without its end", lambda: around(small("png"), box(b"jumb", box(b"jumd", b"c2pa", bytes.fromhex("00110010800000aa00389b71"), b"\3", b"x" * 100))), "invalid", ["claim.missing", MISPLACED]),
    Case("an empty store", holding(), "invalid", ["claim.missing"]),
    Case("a store of another kind", lambda: around(small("png"), superbox(ASSERTIONS, "c2pa", box(b"cbor", b"\xa0"))), "invalid", ["claim.missing", MISPLACED]),
    Case("two manifests with the same label", lambda: with_store(small("png"), lambda hole: store(manifest().box(hole), manifest().box(hole))), "invalid", ["claim.malformed"], c2pa="Trusted", because="it takes the last; a label names one manifest (8.2)"),
]  # fmt: skip


def deep(depth: int) -> bytes:
    """Superboxes inside each other whose lengths do not fit: small enough for so many."""
    return (struct.pack(">I", 0x7FFFFFFF) + b"jumb" + box(b"jumd", b"c2ma", bytes.fromhex("00110010800000aa00389b71"), b"\3a\0")) * depth  # fmt: skip


@table(COMPRESSED)
def test_compressed_manifests(case, tmp_path):
    judge(case, tmp_path)


@table(BOXES)
def test_boxes(case, tmp_path):
    judge(case, tmp_path)
