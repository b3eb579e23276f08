"""Signing changes no pixel and takes nothing away."""

import io
import zlib

import numpy
import pytest
from PIL import Image, ImageSequence

from containers import STORE, foreign_parts, parts
from credlink import Service
from images import corpus


@pytest.mark.parametrize("sample", corpus())
def test_pixels_are_the_same(service: Service, sample):
    before = corpus()[sample]
    once = service.sign(before, creator="Somebody")
    assert frames(once) == frames(before)
    assert frames(service.sign(once)) == frames(before)


@pytest.mark.parametrize("sample", [name for name in corpus() if name.startswith("png")])
def test_png_data_is_the_same_before_any_decoder(service: Service, sample):
    """Pillow reads 16 bits of colour as 8; the packed data tells all."""
    before = corpus()[sample]
    assert unpacked(service.sign(before)) == unpacked(before)


@pytest.mark.parametrize("sample", corpus())
def test_every_part_is_still_there(service: Service, sample):
    before = corpus()[sample]
    once = service.sign(before, creator="Somebody")
    assert_kept(before, once)
    twice = service.sign(once)
    assert_kept(once, twice)
    assert len(foreign_parts(twice)) <= len(foreign_parts(once)) + 1, "a second signature adds one pointer at most"


@pytest.mark.parametrize("sample", corpus())
def test_one_store_in_its_place(service: Service, sample):
    signed = service.sign(service.sign(corpus()[sample]))
    names = [name for name, _ in parts(signed)]
    at = [index for index, name in enumerate(names) if name == STORE]
    assert at == list(range(at[0], at[0] + len(at))), "not contiguous"
    if sample.startswith("jpeg"):
        assert set(names[1 : at[0]]) <= {"E0", "E1"}
    elif sample.startswith("png"):
        assert names[at[0] - 1] == "IHDR" and len(at) == 1
    else:
        assert names[at[0] :] in ([STORE], [STORE, "after RIFF"])


def assert_kept(before: bytes, after: bytes) -> None:
    """Every part of `before` stands in `after`, byte for byte and in the same order."""
    left = iter(foreign_parts(after))
    for name, content in foreign_parts(before):
        assert any(other == content for _, other in left), f"{name} of {len(content)} bytes is gone or moved"


def frames(data: bytes) -> list[tuple[str, tuple[int, int], bytes]]:
    """All decoded frames."""
    with Image.open(io.BytesIO(data)) as image:
        return [
            (frame.mode, frame.size, numpy.asarray(frame).tobytes()) for frame in ImageSequence.Iterator(image)
        ]


def unpacked(data: bytes) -> list[bytes]:
    """The inflated picture data, and the frames of an animation."""
    chunks = [(name, content[8:-4]) for name, content in parts(data)]
    picture = b"".join(content for name, content in chunks if name == "IDAT")
    return [zlib.decompress(picture)] + [content for name, content in chunks if name == "fdAT"]
