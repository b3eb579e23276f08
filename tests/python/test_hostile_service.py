"""No file makes the service fail or think long: every row of the tables, and the worst shapes as large as may be."""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import test_hostile_assertions
import test_hostile_bombs
import test_hostile_certificates
import test_hostile_claims
import test_hostile_ingredients
import test_hostile_revocation
import test_hostile_signatures
import test_hostile_stamps
from c2pa_writer import CBOR, STORE, Manifest, assertion, box, created_action, superbox
from containers import media_type
from cose import Signature
from credlink import Service
from embedding import around, segments
from hostile import Case, leaf, picture, small
from images import chunk, riff, riff_chunk

TABLES = {
    "assertions": test_hostile_assertions,
    "bombs": test_hostile_bombs,
    "certificates": test_hostile_certificates,
    "claims": test_hostile_claims,
    "ingredients": test_hostile_ingredients,
    "revocation": test_hostile_revocation,
    "signatures": test_hostile_signatures,
    "stamps": test_hostile_stamps,
}

SECONDS = 2.0
"""The longest that the service may work on a file, on one core. Its own time is counted, because the tests share the
machine with each other."""

LARGE = 49_000_000
"""Bytes of a large file; the service takes 50 MiB."""


def rows(module) -> Iterator[Case]:
    """The rows of all tables in a module of tests."""
    for name, value in vars(module).items():
        if name.startswith("test_"):
            for mark in getattr(value, "pytestmark", []):
                yield from mark.args[1] if mark.args[0] == "case" else []


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_answered_in_time(service: Service, table: str):
    faults = [
        fault for row in rows(TABLES[table]) if (fault := fault_of(service, row.name, row.make())) is not None
    ]
    assert not faults, "\n".join(faults)
    assert service.is_alive()


def fault_of(service: Service, name: str, image: bytes) -> str | None:
    """What is wrong with the answer to a file."""
    before = worked(service)
    response = service.post_verify(image, media_type(image))
    took = worked(service) - before
    if response.status_code != 200:
        return f"{name}: {response.status_code} {response.text[:200]}"
    if took >= SECONDS:
        return f"{name}: {took:.1f} s"
    return None


def worked(service: Service) -> float:
    """How long the process has worked since it started, in seconds."""
    times = Path(f"/proc/{service.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def in_store(*boxes: bytes, kind: str = "png") -> bytes:
    """An image with a store of these boxes."""
    return around(small(kind), superbox(STORE, "c2pa", *boxes))


def filled(unit: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """So many units that the file is large."""
    return before + unit * ((LARGE - len(before) - len(after)) // len(unit)) + after


def png(chunks: bytes) -> bytes:
    """A PNG with these chunks before its data."""
    image = small("png")
    return image[:33] + chunks + image[33:]


def jpeg(parts: bytes) -> bytes:
    """A JPEG with these segments before its data."""
    image = small("jpeg")
    at = 4 + struct.unpack(">H", image[4:6])[0]
    return image[:at] + parts + image[at:]


def with_claim(claim: bytes) -> bytes:
    """An image with a claim of these bytes, well signed."""
    return picture(Manifest(Signature(leaf()), encode_claim=lambda _: claim))


def with_assertion(content: bytes) -> bytes:
    """An image with a large assertion in CBOR that is one string, well signed."""
    large = assertion("com.example.large", {"text": content})
    return picture(Manifest(Signature(leaf()), assertions=[created_action(), large]))


WORST: dict[str, Callable[[], bytes]] = {
    "empty boxes": lambda: in_store(superbox(b"c2ma", "urn:c2pa:x", filled(box(b"free")))),
    "empty superboxes": lambda: in_store(filled(superbox(b"c2ma", "x"))),
    "boxes inside boxes": lambda: in_store(filled(b"\x7f\xff\xff\xffjumb" + superbox(b"c2ma", "x")[8:])),
    "tags in a claim": lambda: with_claim(filled(b"\xc6")),
    "arrays in a claim": lambda: with_claim(filled(b"\x81")),
    "numbers in a claim": lambda: with_claim(b"\x9a" + struct.pack(">I", LARGE // 2) + b"\x01" * (LARGE // 2)),
    "maps side by side in a claim": lambda: with_claim(b"\x9a" + struct.pack(">I", LARGE // 2) + b"\xa0" * (LARGE // 2)),
    "a claim of zeros": lambda: with_claim(bytes(LARGE)),
    "an assertion": lambda: with_assertion(bytes(LARGE)),
    "an assertion in a JPEG": lambda: around(small("jpeg"), superbox(STORE, "c2pa", box(CBOR, bytes(LARGE)))),
    "segments of a store": lambda: jpeg(segments(superbox(STORE, "c2pa", box(b"free", bytes(LARGE // 25))), size=1)),
    "segments of many stores": lambda: jpeg(filled(segments(superbox(STORE, "c2pa"), size=100))),
    "chunks of stores": lambda: png(filled(chunk(b"caBX", superbox(STORE, "c2pa")))),
    "empty chunks of stores": lambda: png(filled(chunk(b"caBX"))),
    "empty private chunks": lambda: png(filled(chunk(b"prVt"))),
    "chunks of text": lambda: png(filled(chunk(b"tEXt", b"c2pA\0x"))),
    "chunks of stores in a WebP": lambda: riff(small("webp")[12:] + filled(riff_chunk(b"C2PA", superbox(STORE, "c2pa")))),
    "empty chunks in a WebP": lambda: riff(small("webp")[12:] + filled(riff_chunk(b"prVt", b""))),
    "beginnings of stores behind the image": lambda: small("jpeg") + filled(superbox(STORE, "c2pa")[:40]),
    "beginnings of boxes behind the image": lambda: small("jpeg") + filled(b"\0\0\0\x40jumb\0\0\0\x20jumdc2pa"),
    "fragments of JSON behind the image": lambda: small("jpeg") + filled(b'{"claim_generator":"x","signature":'),
    "braces behind the image": lambda: small("jpeg") + filled(b"{"),
    "noughts behind the image": lambda: small("jpeg") + filled(b"\0"),
}  # fmt: skip
"""The worst shapes, by what there is much of."""


@pytest.mark.parametrize("shape", WORST)
def test_large_files_are_answered_in_time(service: Service, shape: str):
    image = WORST[shape]()
    assert len(image) <= 50 * 1024 * 1024
    assert (fault := fault_of(service, shape, image)) is None, fault
    assert service.is_alive()
