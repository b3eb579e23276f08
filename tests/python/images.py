"""The corpus: small images of every kind that a signer meets, made here so that nothing has to be downloaded.

`corpus()` gives them by name. They are the same on every run.
"""

import functools
import io
import struct
import zlib
from collections.abc import Iterator

import numpy
from PIL import Image, ImageCms, PngImagePlugin

XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@functools.cache
def corpus() -> dict[str, bytes]:
    """All samples by name; the name starts with the format."""
    samples: dict[str, bytes] = {}
    for make in (_jpegs, _pngs, _webps):
        for name, data in make():
            assert name not in samples, name
            samples[name] = data
    return samples


def smallest() -> dict[str, bytes]:
    """One very small sample of each format."""
    picture = scene(32, 24)
    return {
        "jpeg": saved(picture, "JPEG", quality=70),
        "png": saved(picture.quantize(16), "PNG", optimize=True),
        "webp": saved(picture, "WEBP", quality=60),
    }


def scene(width: int, height: int, seed: int = 1) -> Image.Image:
    """A picture with areas, edges and texture, RGB."""
    y, x = numpy.mgrid[0:height, 0:width]
    noise = numpy.random.default_rng(seed).normal(0, 6, (height, width, 3))
    sky = numpy.stack([90 + 80 * y / height, 130 + 60 * y / height, 220 - 60 * x / width], axis=-1)
    disc = (x - width * 0.65) ** 2 + (y - height * 0.4) ** 2 < (min(width, height) * 0.25) ** 2
    ground = y > height * (0.7 + 0.08 * numpy.sin(x / max(width, 1) * 9 + seed))
    sky[disc] = (250, 220, 120)
    sky[ground] = (60, 100, 40)
    return Image.fromarray(numpy.clip(sky + noise, 0, 255).astype("uint8"), "RGB")


def noise(width: int, height: int, seed: int = 1) -> Image.Image:
    """Noise: a file that does not compress, for large files."""
    pixels = numpy.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype="uint8")
    return Image.fromarray(pixels, "RGB")


def with_alpha(picture: Image.Image) -> Image.Image:
    """The picture, fading out to the right."""
    fade = numpy.linspace(255, 0, picture.width).astype("uint8")
    picture = picture.convert("RGBA")
    picture.putalpha(Image.fromarray(numpy.tile(fade, (picture.height, 1)), "L"))
    return picture


# JPEG


def segment(marker: int, body: bytes) -> bytes:
    """A JPEG segment with its length."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def app11(box_number: int, sequence: int, box: bytes) -> bytes:
    """An APP11 segment with a piece of a JUMBF box (ISO 19566-5, Annex D)."""
    return segment(0xEB, b"JP" + struct.pack(">HI", box_number, sequence) + box)


def foreign_jumbf(content: bytes) -> bytes:
    """A JUMBF superbox of a type that is not C2PA: JSON content (ISO 19566-5, B.4)."""
    json_type = bytes.fromhex("6a736f6e00110010800000aa00389b71")
    description = box(b"jumd", json_type + b"\x03" + b"com.example.other\0")
    return box(b"jumb", description + box(b"json", content))


def box(kind: bytes, content: bytes) -> bytes:
    """An ISO box."""
    return struct.pack(">I", len(content) + 8) + kind + content


def after_first_segments(jpeg: bytes, inserted: bytes) -> bytes:
    """`inserted` after SOI and a leading APP0."""
    at = 2
    if jpeg[2:4] == b"\xff\xe0":
        at = 4 + struct.unpack(">H", jpeg[4:6])[0]
    return jpeg[:at] + inserted + jpeg[at:]


def exif(orientation: int = 6) -> Image.Exif:
    """A camera's EXIF, with an orientation."""
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    tags[0x0110] = "Camera 1"
    tags[0x0112] = orientation
    tags[0x8298] = "\u00a9 somebody"
    return tags


def _jpegs() -> Iterator[tuple[str, bytes]]:
    picture = scene(96, 72)
    plain = saved(picture, "JPEG", quality=85)
    yield "jpeg-baseline", plain
    yield "jpeg-444", saved(picture, "JPEG", quality=85, subsampling="4:4:4")
    yield "jpeg-422", saved(picture, "JPEG", quality=85, subsampling="4:2:2")
    yield "jpeg-odd-size", saved(scene(53, 37), "JPEG", quality=85, subsampling="4:2:0")
    yield "jpeg-one-pixel", saved(scene(1, 1), "JPEG")
    yield "jpeg-progressive", saved(picture, "JPEG", quality=85, progressive=True)
    yield "jpeg-optimised", saved(picture, "JPEG", quality=60, optimize=True)
    yield "jpeg-grey", saved(picture.convert("L"), "JPEG", quality=85)
    yield "jpeg-grey-progressive", saved(picture.convert("L"), "JPEG", quality=85, progressive=True)
    yield "jpeg-cmyk", saved(picture.convert("CMYK"), "JPEG", quality=85)
    yield "jpeg-rgb", saved(picture, "JPEG", quality=85, keep_rgb=True)
    yield "jpeg-restart-markers", saved(picture, "JPEG", quality=85, restart_marker_blocks=2)
    yield "jpeg-exif", saved(picture, "JPEG", quality=85, exif=exif())
    yield "jpeg-xmp", saved(picture, "JPEG", quality=85, xmp=XMP)
    yield "jpeg-icc", saved(picture, "JPEG", quality=85, icc_profile=ICC)
    yield "jpeg-icc-segments", saved(picture, "JPEG", quality=85, icc_profile=ICC + bytes(150_000))
    yield "jpeg-comment", saved(picture, "JPEG", quality=85, comment=b"A comment, \xff\xd8 \xff\xeb inside")
    yield "jpeg-exif-xmp-icc", saved(picture, "JPEG", quality=85, exif=exif(8), xmp=XMP, icc_profile=ICC)
    yield (
        "jpeg-mpf",
        saved(picture, "MPO", quality=85, save_all=True, append_images=[scene(96, 72, seed=2)]),
    )
    yield "jpeg-without-app0", plain[:2] + plain[2 + 2 + struct.unpack(">H", plain[4:6])[0] :]
    yield "jpeg-fill-bytes", after_first_segments(plain, b"\xff\xff\xff" + segment(0xFE, b"filled")[1:])
    others = [
        app11(1, 1, foreign_jumbf(b'{"other": 1}')),
        app11(2, 1, foreign_jumbf(b'{"other": 2}')),
        segment(0xEB, b"HDR_RI ver=11\n not JUMBF at all"),
        _jumbf_in_two_segments(3),
    ]
    yield "jpeg-app11-others", after_first_segments(plain, b"".join(others))
    yield (
        "jpeg-app11-after-exif",
        after_first_segments(
            saved(picture, "JPEG", quality=85, exif=exif(), icc_profile=ICC), others[1] + others[0]
        ),
    )
    yield "jpeg-empty-app11", after_first_segments(plain, segment(0xEB, b"") + segment(0xEB, b"JP"))
    yield "jpeg-bytes-after-eoi", plain + b"trailing \xff\xd8\xff\xe0 bytes" * 9
    yield "jpeg-large", saved(noise(640, 480), "JPEG", quality=95)


def _jumbf_in_two_segments(box_number: int) -> bytes:
    whole = foreign_jumbf(b'{"other": "%s"}' % (b"x" * 400))
    header, content = whole[:8], whole[8:]
    return app11(box_number, 1, header + content[:200]) + app11(box_number, 2, header + content[200:])


# PNG


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """A PNG chunk with length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    colour_type: int,
    bit_depth: int,
    *,
    size: tuple[int, int] = (37, 29),
    interlaced: bool = False,
    before_data: bytes = b"",
    after_data: bytes = b"",
    data_chunks: int = 1,
) -> bytes:
    """A PNG made by hand: every colour type and bit depth, plain or by Adam7."""
    width, height = size
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    samples = numpy.random.default_rng(colour_type * 100 + bit_depth).integers(
        0, 2**bit_depth, (height, width, channels), dtype="uint32"
    )
    rows = b"".join(_png_rows(part, bit_depth) for part in (_adam7(samples) if interlaced else [samples]))
    packed = zlib.compress(rows)
    step = -(-len(packed) // data_chunks)
    out = [b"\x89PNG\r\n\x1a\n"]
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, int(interlaced))
    out.append(chunk(b"IHDR", header))
    if colour_type == 3:
        out.append(chunk(b"PLTE", bytes((i * 7) % 256 for i in range(3 * 2**bit_depth))))
    out.append(before_data)
    out.extend(chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step))
    out.append(after_data)
    out.append(chunk(b"IEND"))
    return b"".join(out)


def _adam7(samples: numpy.ndarray) -> Iterator[numpy.ndarray]:
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        part = samples[y::dy, x::dx]
        if part.size:
            yield part


def _png_rows(samples: numpy.ndarray, bit_depth: int) -> bytes:
    """Every row with filter type 0 before it."""
    height = samples.shape[0]
    flat = samples.reshape(height, -1)
    if bit_depth == 16:
        rows = [row.astype(">u2").tobytes() for row in flat]
    elif bit_depth == 8:
        rows = [row.astype("uint8").tobytes() for row in flat]
    else:
        shifts = numpy.arange(bit_depth - 1, -1, -1)
        bits = (flat[:, :, None] >> shifts) & 1
        rows = [numpy.packbits(row.reshape(-1)).tobytes() for row in bits.astype("uint8")]
    return b"".join(b"\0" + row for row in rows)


def _pngs() -> Iterator[tuple[str, bytes]]:
    for colour_type, depths in (
        (0, (1, 2, 4, 8, 16)),
        (2, (8, 16)),
        (3, (1, 2, 4, 8)),
        (4, (8, 16)),
        (6, (8, 16)),
    ):
        for depth in depths:
            yield f"png-type{colour_type}-{depth}bit", png(colour_type, depth)
            yield f"png-type{colour_type}-{depth}bit-interlaced", png(colour_type, depth, interlaced=True)
    yield "png-tiny-interlaced", png(2, 8, size=(1, 1), interlaced=True)
    yield "png-palette-trns", png(3, 8, before_data=chunk(b"tRNS", bytes(range(256))))
    yield "png-grey-trns", png(0, 8, before_data=chunk(b"tRNS", b"\0\x07"))
    yield "png-rgb16-trns", png(2, 16, before_data=chunk(b"tRNS", b"\0\1\0\2\0\3"))
    yield "png-many-idat", png(6, 8, data_chunks=9)
    yield (
        "png-odd-chunks",
        png(
            2,
            8,
            before_data=chunk(b"gAMA", struct.pack(">I", 45455))
            + chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1))
            + chunk(b"prVt", b"private, odd length")
            + chunk(b"emPy"),
            after_data=chunk(b"tIME", struct.pack(">HBBBBB", 2026, 1, 2, 3, 4, 5)) + chunk(b"zzTz", b"\0" * 7),
        ),
    )
    yield "png-bytes-after-iend", png(0, 8) + b"trailing"
    picture = scene(64, 48)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "plain")
    texts.add_text("Comment", "packed " * 40, zip=True)
    texts.add_itxt("Description", "\u00fcber", lang="de", tkey="Beschreibung")
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    yield "png-texts", saved(picture, "PNG", pnginfo=texts)
    yield "png-exif-icc", saved(picture, "PNG", exif=exif(3), icc_profile=ICC)
    yield "png-alpha", saved(with_alpha(picture), "PNG")
    yield "png-grey-alpha", saved(with_alpha(picture).convert("LA"), "PNG")
    yield "png-palette", saved(picture.quantize(200), "PNG")
    yield (
        "png-apng",
        saved(picture, "PNG", save_all=True, append_images=[scene(64, 48, seed) for seed in (2, 3)], duration=80),
    )
    yield "png-large", saved(noise(320, 240), "PNG")


# WebP


def riff(chunks: bytes) -> bytes:
    """A WebP file out of whole chunks."""
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def riff_chunk(kind: bytes, content: bytes) -> bytes:
    """A RIFF chunk with its pad byte."""
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _webps() -> Iterator[tuple[str, bytes]]:
    picture = scene(96, 72)
    lossy = saved(picture, "WEBP", quality=80)
    yield "webp-lossy", lossy
    yield "webp-lossy-odd-size", saved(scene(53, 37), "WEBP", quality=80)
    yield "webp-lossless", saved(picture, "WEBP", lossless=True)
    yield "webp-lossless-odd-size", saved(scene(53, 37), "WEBP", lossless=True)
    yield "webp-one-pixel", saved(scene(1, 1), "WEBP", lossless=True)
    yield "webp-lossy-alpha", saved(with_alpha(picture), "WEBP", quality=80)
    yield "webp-lossless-alpha", saved(with_alpha(picture), "WEBP", lossless=True)
    yield "webp-icc", saved(picture, "WEBP", quality=80, icc_profile=ICC)
    yield "webp-exif", saved(picture, "WEBP", quality=80, exif=exif())
    yield "webp-xmp", saved(picture, "WEBP", quality=80, xmp=XMP)
    yield (
        "webp-everything",
        saved(with_alpha(picture), "WEBP", quality=80, icc_profile=ICC, exif=exif(8), xmp=XMP + b" "),
    )
    frames = [scene(96, 72, seed) for seed in (2, 3)]
    yield "webp-animation", saved(picture, "WEBP", quality=70, save_all=True, append_images=frames, duration=90)
    yield (
        "webp-animation-alpha",
        saved(
            with_alpha(picture),
            "WEBP",
            lossless=True,
            save_all=True,
            append_images=[with_alpha(f) for f in frames],
        ),
    )
    extended = saved(picture, "WEBP", quality=80, exif=exif())
    yield (
        "webp-unknown-odd-chunks",
        riff(
            extended[12:]
            + riff_chunk(b"ABCD", b"odd")
            + riff_chunk(b"efgh", b"")
            + riff_chunk(b"IJKL", b"x" * 301)
        ),
    )
    yield "webp-large", saved(noise(320, 240), "WEBP", quality=95)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as a file, by Pillow."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()
