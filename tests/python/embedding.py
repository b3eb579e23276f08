"""Puts a manifest store into a JPEG, PNG or WebP, with the hash of everything else (C2PA 2.4, appendix A.3)."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass

import containers
from images import chunk, riff_chunk

SEGMENT = 64_000
"""Bytes of a store in one segment of a JPEG."""


@dataclass(frozen=True)
class Hole:
    """Where the store stands in the file, and the hash of the rest."""

    start: int
    length: int
    digest: bytes | None
    """SHA-256; None as long as only the length of the store is asked for."""


def with_store(image: bytes, make: Callable[[Hole], bytes]) -> bytes:
    """The image with the store that `make` makes for its place; its length depends on nothing but the place."""
    hole = Hole(0, 0, None)
    while (measured := _measure(image, make(hole))) != hole:
        hole = measured
    before, wrapping, after = _split(image, make(hole))
    hole = Hole(hole.start, hole.length, hashlib.sha256(before + after).digest())
    store = make(hole)
    before, wrapping, after = _split(image, store)
    assert (len(before), len(wrapping)) == (hole.start, hole.length), "the store changed its length"
    return before + wrapping + after


def around(image: bytes, store: bytes) -> bytes:
    """The image with a store in its place, whatever it says."""
    return b"".join(_split(image, store))


def segments(store: bytes, instance: int = 1, size: int = SEGMENT) -> bytes:
    """A store as segments of a JPEG (ISO 19566-5, annex D). Every one repeats the header of the box."""
    header, content = store[:8], store[8:]
    pieces = [content[at : at + size] for at in range(0, max(len(content), 1), size)]
    return b"".join(
        b"\xff\xeb" + struct.pack(">H2sHI", 18 + len(piece), b"JP", instance, number) + header + piece
        for number, piece in enumerate(pieces, 1)
    )


def _measure(image: bytes, store: bytes) -> Hole:
    before, wrapping, _ = _split(image, store)
    return Hole(len(before), len(wrapping), None)


def _split(image: bytes, store: bytes) -> tuple[bytes, bytes, bytes]:
    kind = containers.media_type(image)
    if kind == "image/jpeg":
        at = 4 + struct.unpack(">H", image[4:6])[0] if image[2:4] == b"\xff\xe0" else 2
        return image[:at], segments(store), image[at:]
    if kind == "image/png":
        return image[:33], chunk(b"caBX", store), image[33:]
    wrapping = riff_chunk(b"C2PA", store)
    body = image[8:]
    return b"RIFF" + struct.pack("<I", len(body) + len(wrapping)) + body, wrapping, b""
