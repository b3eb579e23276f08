"""The fingerprint against the reference implementation, and what it survives."""

import io

import iscc_core
import pytest
from PIL import Image, ImageOps

from credlink import Service
from images import corpus, exif, saved, with_alpha
from manifest_store import active_manifest
from photographs import NAMES, photograph

REFERENCE_DISTANCE = 8
"""Bits of 256 between our code and the reference pipeline's. Decoders and reductions may differ that much."""

SURVIVAL_DISTANCE = 24
"""Bits of 256 that re-encoding at quality 60 and halving the size may change in a photograph."""

STRANGER_DISTANCE = 64
"""Bits of 256 that two different photographs are at least apart."""

FILES = {
    "jpeg": lambda picture: saved(picture, "JPEG", quality=90),
    "jpeg-progressive": lambda picture: saved(picture, "JPEG", quality=90, progressive=True),
    "png": lambda picture: saved(picture, "PNG", compress_level=1),
    "webp": lambda picture: saved(picture, "WEBP", quality=90, method=0),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", FILES)
def test_equals_the_reference(service: Service, kind, name):
    image = FILES[kind](photograph(name))
    assert distance(ours(service, image), reference(image)) <= REFERENCE_DISTANCE


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied(service: Service, kind, orientation):
    image = saved(photograph("rocket"), kind, exif=exif(orientation))
    assert distance(ours(service, image), reference(image)) <= REFERENCE_DISTANCE


@pytest.mark.parametrize("name", ["astronaut", "coffee", "flower"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_alpha_stands_on_white(service: Service, kind, name):
    image = saved(with_alpha(photograph(name)), kind)
    assert distance(ours(service, image), reference(image)) <= REFERENCE_DISTANCE


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LA"])
def test_modes(service: Service, mode):
    picture = photograph("coffee").convert("RGB")
    picture = with_alpha(picture).convert("LA") if mode == "LA" else picture.convert(mode)
    image = saved(picture, "JPEG" if mode == "CMYK" else "PNG")
    assert distance(ours(service, image), reference(image)) <= REFERENCE_DISTANCE


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_survives_quality_60_and_half_the_size(service: Service, kind, name):
    picture = photograph(name)
    before = ours(service, FILES["png"](picture))
    half = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)
    after = ours(service, saved(half, kind, quality=60))
    assert distance(before, after) <= SURVIVAL_DISTANCE


def test_photographs_are_far_from_each_other(service: Service):
    codes = [ours(service, FILES["jpeg"](photograph(name))) for name in NAMES]
    apart = [distance(a, b) for i, a in enumerate(codes) for b in codes[:i]]
    assert min(apart) >= STRANGER_DISTANCE


def test_a_credential_does_not_change_it(service: Service):
    image = FILES["jpeg"](photograph("china"))
    signed = service.sign(image)
    assert ours(service, signed) == ours(service, image)


@pytest.mark.parametrize("sample", corpus())
def test_every_kind_of_image_has_one(service: Service, sample):
    assert len(ours(service, corpus()[sample])) == 32


def test_the_proof_names_it(service: Service):
    response = service.post_sign(FILES["jpeg"](photograph("flower")))
    record = service.session.get(
        response.headers["X-Proof-Uri"].replace("https://", "http://"), headers={"Accept": "application/json"}
    ).json()
    value = iscc_core.decode_base32(record["fingerprint"].removeprefix("ISCC:"))
    assert value == soft_binding(response.content)


def ours(service: Service, image: bytes) -> bytes:
    """The 32 bytes that the soft binding of the signed image holds."""
    return soft_binding(service.sign(image))[2:]


def soft_binding(signed: bytes) -> bytes:
    """The value of the soft binding: header and code."""
    (block,) = active_manifest(signed).assertions["c2pa.soft-binding"]["blocks"]
    return block["value"]


def reference(image: bytes) -> bytes:
    """The 32 bytes of Pillow and iscc-core."""
    with Image.open(io.BytesIO(image)) as picture:
        picture = ImageOps.exif_transpose(picture)
        if picture.has_transparency_data:
            colour = picture.convert("RGBA")
            white = Image.new("RGBA", colour.size, (255, 255, 255, 255))
            picture = Image.alpha_composite(white, colour)
        grey = picture.convert("L").resize((32, 32), Image.Resampling.BICUBIC)
    code = iscc_core.gen_image_code_v0(list(grey.tobytes()), bits=256)["iscc"]
    return iscc_core.decode_base32(code.removeprefix("ISCC:"))[2:]


def distance(a: bytes, b: bytes) -> int:
    """How many bits differ."""
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()
