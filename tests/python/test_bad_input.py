"""What is broken, lying or hostile gets an answer that says so: soon, in little memory, and nothing is stored."""

import functools
import io
import json
import struct
import time
import zipfile
import zlib
from pathlib import Path

import pytest

import credlink
from containers import STORE, manifest_store, parts
from credlink import DEADLINE, Service
from images import (
    after_first_segments,
    app11,
    box,
    chunk,
    corpus,
    noise,
    png,
    riff,
    riff_chunk,
    saved,
    scene,
)
from manifest_store import active_manifest
from validators import assert_valid

MEGABYTE = 1 << 20

QUICK = 10.0
"""Seconds that an answer to anything small may take in an unoptimised build."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory):
    """A service of this module's own, so that its proofs and its memory can be watched."""
    data = tmp_path_factory.mktemp("bad-input")
    credlink.make_keys(data, "p-256")
    service = credlink.start(data, data / "service.log")
    yield service
    assert service.stop() == 0


@pytest.fixture
def refuses(target: Service):
    """Sends to /sign and checks that it is refused with one of the codes, and that nothing was stored."""

    def check(image: bytes | None, *codes: str, **fields: str) -> dict:
        stored = target.proof_files()
        started = time.monotonic()
        response = target.post_sign(image, name="photo.jpg", kind="image/jpeg", **fields)
        assert time.monotonic() - started < QUICK
        error = assert_error(response, *codes)
        assert target.proof_files() == stored
        assert target.is_alive()
        return error

    return check


def assert_error(response, *codes: str) -> dict:
    """The envelope is complete, and the code is one of these."""
    envelope = response.json()
    assert set(envelope) == {"error"}
    error = envelope["error"]
    assert {"message", "code", "statusCode", "timestamp", "requestId"} <= set(error)
    assert error["code"] in codes, error
    assert error["statusCode"] == response.status_code == STATUS[error["code"]]
    assert error["requestId"] == response.headers["X-Request-Id"]
    assert error["message"].strip()
    return error


STATUS = {
    "NO_FILE_PROVIDED": 400,
    "INVALID_REQUEST": 400,
    "INVALID_FILE_TYPE": 400,
    "VALIDATION_FAILED": 400,
    "NOT_FOUND": 404,
    "PROOF_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "FILE_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
}


# What is no image


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "text " * 500)
    return out.getvalue()


PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"

NO_IMAGES = {
    "text": b"This is not an image.",
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "zip": zipped(),
    "pdf": PDF,
    "gif": saved(scene(8, 8), "GIF"),
    "tiff": saved(scene(8, 8), "TIFF"),
    "bmp": saved(scene(8, 8), "BMP"),
    "avi": b"RIFF" + struct.pack("<I", 4) + b"AVI ",
    "half a PNG signature": b"\x89PNG",
    "half a JPEG signature": b"\xff\xd8",
    "half a WebP signature": b"RIFF\0\0\0\0WEB",
    "zeros": bytes(4096),
}


@pytest.mark.parametrize("name", NO_IMAGES)
def test_what_is_no_image_is_refused(target, refuses, name):
    refuses(NO_IMAGES[name], "INVALID_FILE_TYPE")
    assert_error(target.post_verify(NO_IMAGES[name]), "INVALID_FILE_TYPE")


def test_nothing_is_refused(target, refuses):
    refuses(b"", "NO_FILE_PROVIDED")
    refuses(None, "NO_FILE_PROVIDED", creator="Somebody")
    assert_error(target.post_verify(b""), "NO_FILE_PROVIDED")


# What is damaged


def lying_lengths() -> dict[str, bytes]:
    jpeg = corpus()["jpeg-exif"]
    app0 = jpeg.index(b"\xff\xe0")
    chunked = corpus()["png-odd-chunks"]
    webp = corpus()["webp-exif"]
    gama = chunked.index(b"gAMA") - 4
    header = chunked.index(b"IHDR") - 4
    data = chunked.index(b"IDAT") - 4

    def at(whole: bytes, offset: int, value: bytes) -> bytes:
        return whole[:offset] + value + whole[offset + len(value) :]

    return {
        "jpeg segment of 0": at(jpeg, app0 + 2, b"\0\0"),
        "jpeg segment of 1": at(jpeg, app0 + 2, b"\0\1"),
        "jpeg segment past the end": at(corpus()["jpeg-baseline"], app0 + 2, b"\xff\xff"),
        "png chunk of 4 GB": at(chunked, gama, b"\xff\xff\xff\xff"),
        "png chunk of 2 GB": at(chunked, gama, b"\x7f\xff\xff\xff"),
        "png chunk past the end": at(chunked, gama, struct.pack(">I", len(chunked))),
        "png chunk too short": at(chunked, data, b"\0\0\0\1"),
        "png header of 12": at(chunked, header, struct.pack(">I", 12)),
        "png header of 4 GB": at(chunked, header, b"\xff\xff\xff\xff"),
        "webp longer than the file": at(webp, 4, struct.pack("<I", len(webp) + 100)),
        "webp of 4 GB": at(webp, 4, b"\xff\xff\xff\xff"),
        "webp that says nothing": at(webp, 4, bytes(4)),
        "webp chunk of 4 GB": at(webp, 16, b"\xff\xff\xff\xff"),
        "webp chunk past the end": at(webp, webp.index(b"VP8 ") + 4, struct.pack("<I", len(webp))),
    }


def declared(width: int, height: int) -> dict[str, bytes]:
    """Tiny files that declare a size."""
    jpeg = bytearray(corpus()["jpeg-baseline"])
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    canvas = (
        bytes(4) + struct.pack("<I", (width - 1) & 0xFFFFFF)[:3] + struct.pack("<I", (height - 1) & 0xFFFFFF)[:3]
    )
    files = {
        "jpeg": bytes(jpeg),
        "png": png_declaring(width, height),
        "webp extended": riff(riff_chunk(b"VP8X", canvas) + corpus()["webp-lossy"][12:]),
    }
    if max(width, height) <= 16384:
        lossless = bytearray(corpus()["webp-lossless"])
        lossless[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)
        files["webp lossless"] = bytes(lossless)
    if max(width, height) <= 16383:
        lossy = bytearray(corpus()["webp-lossy"])
        at = lossy.index(b"\x9d\x01\x2a") + 3
        lossy[at : at + 4] = struct.pack("<HH", width, height)
        files["webp lossy"] = bytes(lossy)
    return files


def png_declaring(width: int, height: int) -> bytes:
    """A PNG without rows."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND")


def too_large() -> dict[str, bytes]:
    sizes = ((10_001, 10), (10, 10_001), (30_000, 30_000), (16_383, 16_383))
    files = {f"{kind} of {w} x {h}": data for w, h in sizes for kind, data in declared(w, h).items()}
    return files | {
        f"png of {w} x {h}": png_declaring(w, h) for w, h in ((0, 10), (10, 0), (2**31 - 1, 2**31 - 1))
    }


def broken() -> dict[str, bytes]:
    jpeg = corpus()["jpeg-baseline"]
    signature = b"\x89PNG\r\n\x1a\n"
    whole = png(2, 8)
    return {
        "zip with JPEG magic": b"\xff\xd8\xff\xe0" + zipped(),
        "pdf with JPEG magic": b"\xff\xd8\xff" + PDF,
        "pdf with PNG magic": signature + PDF,
        "jpeg that is only a beginning": b"\xff\xd8\xff\xe0",
        "jpeg without a frame": jpeg[: jpeg.index(b"\xff\xc0")] + b"\xff\xd9",
        "jpeg of markers alone": b"\xff\xd8" + b"\xff" * 100_000,
        "png of a signature": signature,
        "png without header": signature + chunk(b"IDAT", b"x") + chunk(b"IEND"),
        "png with a wrong checksum": whole[:29] + b"\0\0\0\0" + whole[33:],
        "png with two headers": whole[:33] + whole[8:33] + whole[33:],
        "png without data": whole[: whole.index(b"IDAT") - 4] + chunk(b"IEND"),
        "png without an end": whole[:-12],
        "png of unknown colour type": signature
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 5, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(20)))
        + chunk(b"IEND"),
        "webp without a picture": riff(riff_chunk(b"EXIF", b"x" * 20)),
        "webp of nothing": riff(b""),
    }


@functools.cache
def damaged() -> dict[str, bytes]:
    return lying_lengths() | too_large() | broken()


@pytest.mark.parametrize("name", damaged())
def test_what_is_damaged_is_not_signed_but_reported(target, refuses, name):
    refuses(damaged()[name], "VALIDATION_FAILED", "INVALID_FILE_TYPE")
    assert_reported(target, damaged()[name])


@pytest.mark.parametrize(
    "sample", ["jpeg-large", "jpeg-progressive", "png-large", "webp-large", "webp-lossless-alpha"]
)
def test_truncated_at_every_kilobyte(target, refuses, sample):
    whole = corpus()[sample]
    signed = target.sign(whole)
    step = max(1024, len(whole) // 64 // 1024 * 1024)
    for at in range(1024, len(whole), step):
        refuses(whole[:at], "VALIDATION_FAILED", "INVALID_FILE_TYPE")
        assert_reported(target, signed[:at])


def assert_reported(target: Service, image: bytes) -> dict | None:
    """/verify gives a report that says no, or says that it is no image."""
    started = time.monotonic()
    response = target.post_verify(image)
    assert time.monotonic() - started < QUICK
    if response.status_code == 400:
        assert_error(response, "INVALID_FILE_TYPE")
        return None
    assert response.status_code == 200, response.text
    report = response.json()
    assert report["valid"] is False
    assert report["state"] in ("none", "invalid")
    return report


def test_bytes_behind_the_riff_container_are_refused(refuses):
    """Not every validator reads such a file, so it is not signed."""
    refuses(corpus()["webp-lossy"] + b"trailing", "VALIDATION_FAILED")


# What is too long


def test_50_megabytes_and_one_byte(target, refuses):
    jpeg = corpus()["jpeg-baseline"]
    largest = jpeg + bytes(50 * MEGABYTE - len(jpeg))
    refuses(largest + b"\0", "FILE_TOO_LARGE")
    assert_error(target.post_verify(largest + b"\0"), "FILE_TOO_LARGE")
    assert target.post_sign(largest).status_code == 200
    assert peak_memory(target) < 512 * MEGABYTE


def peak_memory(service: Service) -> int:
    """The most memory that the process ever held, in bytes."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


# What lies about credentials


def signed_parts(target: Service) -> tuple[bytes, bytes]:
    signed = target.sign(corpus()["jpeg-baseline"])
    return signed, b"".join(content for name, content in parts(signed) if name == STORE)


def suspicious(target: Service) -> dict[str, bytes]:
    """Files that can be shown, but whose credential is not one."""
    plain = corpus()["jpeg-baseline"]
    signed, store = signed_parts(target)
    other = b"".join(c for n, c in parts(target.sign(corpus()["jpeg-grey"])) if n == STORE)
    huge = box(b"jumb", b"")[4:]
    c2pa_box = manifest_store(signed)
    soup = b"".join(
        app11(n % 7, n * 5 % 11, struct.pack(">I", n * 977) + huge + bytes(n % 50)) for n in range(3000)
    )
    deep = b"x"
    for _ in range(1500):
        deep = box(b"jumb", box(b"jumd", bytes(16) + b"\x03c2pa\0") + deep)
    png_file = corpus()["png-palette"]
    webp_file = corpus()["webp-exif"]
    return {
        "APP11 soup": after_first_segments(plain, soup),
        "two stores in a JPEG": after_first_segments(plain, store + other),
        "the same store twice": after_first_segments(plain, store + store),
        "a store whose box lies": after_first_segments(plain, app11(1, 1, b"\xff\xff\xff\xff" + c2pa_box[4:])),
        "a store cut short": after_first_segments(plain, app11(1, 1, c2pa_box[: len(c2pa_box) // 2])),
        "a store in the wrong order": after_first_segments(
            plain, app11(1, 2, c2pa_box[:8] + c2pa_box[1000:]) + app11(1, 1, c2pa_box[:1000])
        ),
        "boxes 1500 deep": after_first_segments(plain, app11(1, 1, deep)),
        "two stores in a PNG": png_file[:33] + chunk(b"caBX", c2pa_box) * 2 + png_file[33:],
        "an empty store in a PNG": png_file[:33] + chunk(b"caBX") + png_file[33:],
        "noise for a store in a PNG": png_file[:33] + chunk(b"caBX", noise(30, 30).tobytes()) + png_file[33:],
        "two stores in a WebP": riff(webp_file[12:] + riff_chunk(b"C2PA", c2pa_box) * 2),
        "an empty store in a WebP": riff(webp_file[12:] + riff_chunk(b"C2PA", b"")),
        "a store of another image": after_first_segments(plain, other),
        "a store inside the EXIF thumbnail": saved(scene(96, 72), "JPEG", exif=with_thumbnail(target)),
        "10 000 private chunks": png_file[:33] + chunk(b"prVt", b"x") * 10_000 + png_file[33:],
    }


def with_thumbnail(target: Service) -> bytes:
    """A camera's EXIF whose thumbnail is a signed JPEG."""
    thumbnail = target.sign(saved(scene(32, 24), "JPEG"))
    little = b"II*\0" + struct.pack("<I", 8)
    empty_first = struct.pack("<HI", 0, 14)
    entries = struct.pack("<HHIIHHII", 0x0201, 4, 1, 44, 0x0202, 4, 1, len(thumbnail))
    second = struct.pack("<H", 2) + entries + struct.pack("<I", 0)
    return b"Exif\0\0" + little + empty_first + second + thumbnail


def test_what_lies_about_credentials_is_never_valid(target):
    for name, image in suspicious(target).items():
        report = assert_reported(target, image)
        assert report is not None, name
        assert report["details"]["signatureValid"] is False, name


def test_what_lies_about_credentials_is_refused_or_signed_well(target):
    for name, image in suspicious(target).items():
        stored = target.proof_files()
        response = target.post_sign(image)
        if response.status_code == 200:
            # A broken credential may live on as an ingredient, with its faults written down.
            assert_valid(response.content, target.root_pem, history=False)
            assert manifest_store(response.content) is not None, name
        else:
            assert_error(response, "VALIDATION_FAILED")
            assert target.proof_files() == stored
        assert target.is_alive(), name


def test_a_store_inside_the_thumbnail_is_no_history(target):
    signed = target.sign(suspicious(target)["a store inside the EXIF thumbnail"])
    assert "activeManifest" not in active_manifest(signed).assertions["c2pa.ingredient.v3"]


# Bombs


def test_bombs_end_in_time_and_in_little_memory(target):
    packer = zlib.compressobj(9)
    row = bytes(10_000 * 8 + 1)
    data = b"".join(packer.compress(row) for _ in range(10_000)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 10_000, 16, 6, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND")
    text = png(2, 8, before_data=chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200 * MEGABYTE), 9)))
    progressive = saved(scene(2000, 1500), "JPEG", quality=10, progressive=True)
    last = progressive.rindex(b"\xff\xda")
    scans = progressive[:last] + progressive[last:-2] * 300 + b"\xff\xd9"
    for name, image in {"picture": bomb, "text": text, "scans": scans}.items():
        started = time.monotonic()
        signed = target.session.post(f"{target.url}/sign", files={"image": image}, timeout=2 * DEADLINE)
        assert signed.status_code in (200, 400, 504), (name, signed.text)
        report = target.session.post(f"{target.url}/verify", files={"image": image}, timeout=2 * DEADLINE)
        assert report.status_code in (200, 504), (name, report.text)
        assert time.monotonic() - started < 2 * DEADLINE, name
        assert target.is_alive(), name
        assert peak_memory(target) < 512 * MEGABYTE, name


# What callers say


ASSERTION = {"label": "com.example.a", "data": {"a": 1}}


def nested(depth: int) -> str:
    return '[{"label":"com.example.a","data":' + '{"a":' * depth + "1" + "}" * depth + "}]"


BAD_FIELDS = {
    "assertions: no JSON": ("customAssertions", "no JSON"),
    "assertions: empty": ("customAssertions", ""),
    "assertions: an object": ("customAssertions", json.dumps(ASSERTION)),
    "assertions: numbers": ("customAssertions", "[1, 2]"),
    "assertions: no data": ("customAssertions", '[{"label": "com.example.a"}]'),
    "assertions: no label": ("customAssertions", '[{"data": {}}]'),
    "assertions: unknown key": ("customAssertions", json.dumps([ASSERTION | {"kind": "json"}])),
    "assertions: c2pa.actions.v2": ("customAssertions", json.dumps([ASSERTION | {"label": "c2pa.actions.v2"}])),
    "assertions: c2pa.anything": ("customAssertions", json.dumps([ASSERTION | {"label": "c2pa.anything"}])),
    "assertions: C2PA.actions": ("customAssertions", json.dumps([ASSERTION | {"label": "C2PA.actions"}])),
    "assertions: cawg.metadata": ("customAssertions", json.dumps([ASSERTION | {"label": "cawg.metadata"}])),
    "assertions: com.credlink.proof": (
        "customAssertions",
        json.dumps([ASSERTION | {"label": "com.credlink.proof"}]),
    ),
    "assertions: stds.exif": ("customAssertions", json.dumps([ASSERTION | {"label": "stds.exif"}])),
    "assertions: empty label": ("customAssertions", json.dumps([ASSERTION | {"label": ""}])),
    "assertions: path label": ("customAssertions", json.dumps([ASSERTION | {"label": "com.example/../c2pa"}])),
    "assertions: 5 MB": (
        "customAssertions",
        json.dumps([{"label": "com.example.a", "data": {"a": "x" * 5_000_000}}]),
    ),
    "assertions: 1 000 deep": ("customAssertions", nested(1000)),
    "assertions: 100 000 deep": ("customAssertions", "[" * 100_000),
    "assertions: 10 000 of them": ("customAssertions", json.dumps([ASSERTION] * 10_000)),
    "creator: control character": ("creator", "some\x07body"),
    "creator: new line": ("creator", "some\nbody"),
    "creator: null": ("creator", "some\0body"),
    "creator: right-to-left override": ("creator", "some\u202ebody"),
    "creator: right-to-left mark": ("creator", "\u200fsomebody"),
    "creator: isolate": ("creator", "some\u2067body\u2069"),
    "creator: 10 000 characters": ("creator", "x" * 10_000),
    "creator: blank": ("creator", "  "),
    "title: control character": ("title", "some\x1bthing"),
    "title: 10 000 characters": ("title", "x" * 10_000),
    "source type: unknown": ("digitalSourceType", "photograph"),
    "source type: other URI": ("digitalSourceType", "https://example.com/digitalCapture"),
    "training: unknown": ("training", "maybe"),
    "unknown field": ("colour", "red"),
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_bad_fields_are_refused_and_named(refuses, name):
    field, value = BAD_FIELDS[name]
    error = refuses(corpus()["jpeg-baseline"], "INVALID_REQUEST", **{field: value})
    assert field in json.dumps(error), error


def test_a_field_given_twice_is_refused(target):
    form = [("creator", (None, "a")), ("creator", (None, "b")), ("image", ("a.jpg", corpus()["jpeg-baseline"]))]
    assert_error(target.session.post(f"{target.url}/sign", files=form, timeout=DEADLINE), "INVALID_REQUEST")
    two = [("image", ("a.jpg", corpus()["jpeg-baseline"])), ("image", ("b.jpg", corpus()["jpeg-grey"]))]
    assert_error(target.session.post(f"{target.url}/sign", files=two, timeout=DEADLINE), "INVALID_REQUEST")


MALFORMED = {
    "multipart without boundary": ("multipart/form-data", b"--x\r\n\r\n", ("INVALID_REQUEST",)),
    "multipart that ends early": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc',
        ("INVALID_REQUEST",),
    ),
    "multipart of nothing": ("multipart/form-data; boundary=x", b"", ("INVALID_REQUEST", "NO_FILE_PROVIDED")),
    "JSON that is none": ("application/json", b"{", ("INVALID_REQUEST",)),
    "JSON 100 000 deep": ("application/json", b"[" * 100_000, ("INVALID_REQUEST",)),
    "another type": ("text/plain", b"hello", ("UNSUPPORTED_MEDIA_TYPE",)),
    "a form": ("application/x-www-form-urlencoded", b"a=b", ("UNSUPPORTED_MEDIA_TYPE",)),
}


@pytest.mark.parametrize("route", ["sign", "verify"])
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests(target, route, name):
    kind, body, codes = MALFORMED[name]
    response = target.session.post(
        f"{target.url}/{route}", data=body, headers={"Content-Type": kind}, timeout=DEADLINE
    )
    assert_error(response, *codes)


def test_routes_that_are_not_there(target):
    assert_error(target.session.get(f"{target.url}/nothing"), "NOT_FOUND")
    refused = target.session.get(f"{target.url}/sign")
    assert_error(refused, "METHOD_NOT_ALLOWED")
    assert "POST" in refused.headers["Allow"]
    unknown = "0f0e0d0c-0b0a-4908-8706-050403020100"
    assert_error(target.session.get(f"{target.url}/proofs/{unknown}"), "PROOF_NOT_FOUND")
    for path in ("proofs/..%2f..%2fkeys%2froot.pem", "proofs/x", "proofs/%00"):
        response = target.session.get(f"{target.url}/{path}")
        assert_error(response, "PROOF_NOT_FOUND", "NOT_FOUND", "INVALID_REQUEST")
