"""The fingerprint of large JPEG files, of which only the lowest coefficients are decoded."""

import pytest
from PIL import Image

from credlink import Service
from images import exif, saved
from photographs import NAMES, photograph
from test_fingerprint import REFERENCE_DISTANCE, distance, ours, reference

CODINGS = {
    "4:2:0": {},
    "4:2:2": {"subsampling": 1},
    "4:4:4": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restart-intervals": {"restart_marker_blocks": 7},
    "optimised-tables": {"optimize": True},
    "turned": {"exif": exif(6)},
}


# Shorter sides that are no whole number of blocks: of one coefficient a block, and of four.
SIDES = [2051, 1027]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", NAMES)
def test_equals_the_reference(service: Service, name, side):
    assert_equals_the_reference(service, enlarged(photograph(name), side), {})


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("coding", CODINGS)
def test_codings(service: Service, coding, mode, side):
    assert_equals_the_reference(service, enlarged(photograph("coffee"), side).convert(mode), CODINGS[coding])


def assert_equals_the_reference(service: Service, picture: Image.Image, coding: dict):
    image = saved(picture, "JPEG", quality=85, **coding)
    assert distance(ours(service, image), reference(image)) <= REFERENCE_DISTANCE


def enlarged(picture: Image.Image, side: int) -> Image.Image:
    """The picture with a shorter side of so many pixels."""
    scale = side / min(picture.size)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
