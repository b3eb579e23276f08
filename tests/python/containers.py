"""Readers of JPEG, PNG and WebP files as lists of parts, and of the C2PA manifest store inside them.

Written for the tests alone and from the specifications, so that a mistake of the product is not repeated here.
A part is `(name, bytes)`; the parts of a file, joined, are the file.
"""

import struct

Part = tuple[str, bytes]

STORE = "c2pa"

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def media_type(data: bytes) -> str:
    """The media type that the first bytes tell."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(PNG_SIGNATURE):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise ValueError("not JPEG, PNG or WebP")


def parts(data: bytes) -> list[Part]:
    """The file as parts. The manifest store is named `c2pa`; a JPEG's may be several parts."""
    read = {"image/jpeg": _jpeg_parts, "image/png": _png_parts, "image/webp": _webp_parts}
    return read[media_type(data)](data)


def foreign_parts(data: bytes) -> list[Part]:
    """The parts without the manifest store, and without what frames the whole (the RIFF header with its length)."""
    return [(name, content) for name, content in parts(data) if name not in (STORE, "RIFF")]


def manifest_store(data: bytes) -> bytes | None:
    """The manifest store without its wrapping; None when there is none."""
    stores = [content for name, content in parts(data) if name == STORE]
    if not stores:
        return None
    kind = media_type(data)
    if kind == "image/jpeg":
        # Marker 2, length 2, CI 2, En 2, Z 4; every segment repeats the box header of 8 bytes (ISO 19566-5, Annex D).
        return stores[0][12:] + b"".join(segment[20:] for segment in stores[1:])
    if len(stores) != 1:
        raise ValueError("several manifest stores")
    if kind == "image/png":
        return stores[0][8:-4]
    (length,) = struct.unpack("<I", stores[0][4:8])
    return stores[0][8 : 8 + length]


def _jpeg_parts(data: bytes) -> list[Part]:
    found: list[Part] = [("SOI", data[:2])]
    at = 2
    store_box = None
    while True:
        start = at
        if data[at] != 0xFF:
            raise ValueError(f"no marker at {at}")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        (length,) = struct.unpack(">H", data[at : at + 2])
        end = at + length
        body = data[at + 2 : end]
        name = f"{marker:02X}"
        if marker == 0xEB and body[:2] == b"JP":
            box = body[2:4]
            first = body[4:8] == b"\0\0\0\1"
            if first and body[12:16] == b"jumb" and body[24:28] == b"c2pa":
                store_box = box
            if box == store_box:
                name = STORE
        found.append((name, data[start:end]))
        at = end
        if marker == 0xDA:
            # The scans, the end of the image and whatever follows: never touched, one part.
            found.append(("scan", data[at:]))
            return found


def _png_parts(data: bytes) -> list[Part]:
    found: list[Part] = [("signature", data[:8])]
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind = data[at + 4 : at + 8].decode("latin-1")
        end = at + 12 + length
        found.append((STORE if kind == "caBX" else kind, data[at:end]))
        at = end
        if kind == "IEND":
            break
    if at < len(data):
        found.append(("after IEND", data[at:]))
    return found


def _webp_parts(data: bytes) -> list[Part]:
    (length,) = struct.unpack("<I", data[4:8])
    end_of_riff = 8 + length
    found: list[Part] = [("RIFF", data[:12])]
    at = 12
    while at + 8 <= end_of_riff:
        kind = data[at : at + 4].decode("latin-1")
        (size,) = struct.unpack("<I", data[at + 4 : at + 8])
        end = min(at + 8 + size + size % 2, end_of_riff)
        found.append((STORE if kind == "C2PA" else kind, data[at:end]))
        at = end
    if at < len(data):
        found.append(("after RIFF", data[at:]))
    return found
