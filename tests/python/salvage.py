"""Signed files with random damage, and what verification still finds in them.

As a program it measures: `salvage.py --files 1000` signs that many pictures, damages each, verifies it, and writes the
figures into `docs/salvage.md`. Everything follows from the seed.
"""

import argparse
import io
import random
import struct
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin

import credlink
from containers import STORE, manifest_store, parts
from credlink import ROOT, Service
from images import XMP, exif, riff, saved, scene

FORMATS = ("JPEG", "PNG", "WEBP")

SIZES = ((96, 72), (320, 240), (640, 480))

Damage = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Case:
    """A picture that was signed, and the same file damaged."""

    format: str
    damage: str
    seed: int
    versions: tuple[bytes, ...]
    signed: bytes
    damaged: bytes
    proof_id: str

    @property
    def is_known(self) -> bool:
        """Whether it is, to the byte, a file that was sent to be signed."""
        return self.damaged in self.versions

    @property
    def content_changed(self) -> bool:
        """Whether it is no version of the picture, signed or not, even if nobody looks at manifest stores."""
        content = _without_store(self.damaged)
        return content not in (_without_store(version) for version in (*self.versions, self.signed))

    @property
    def store_in_place(self) -> bool:
        """Whether a store begins where and like the one that was written, or is as long and begins like it."""
        start, end = _store_range(self.signed)
        if len(self.damaged) >= end and self.damaged[start : start + 60] == self.signed[start : start + 60]:
            return True
        try:
            ours, theirs = manifest_store(self.signed), manifest_store(self.damaged)
        except (ValueError, IndexError, struct.error):
            return False
        return theirs is not None and (len(ours), ours[:60]) == (len(theirs), theirs[:60])


def cases(service: Service, count: int, seed: int) -> Iterator[Case]:
    """`count` cases: all formats and kinds of damage in turn, without those on which the damage has no effect."""
    turns = [(format, damage) for damage in DAMAGES for format in FORMATS]
    with ThreadPoolExecutor(4) as pool:
        numbers = range(count)
        yield from filter(None, pool.map(lambda n: _case(service, *turns[n % len(turns)], seed + n), numbers))


def _case(service: Service, format: str, damage: str, seed: int) -> Case | None:
    chance = random.Random(seed)
    versions = (_picture(format, chance, seed),)
    if chance.random() < 0.25:
        # With a history the store holds an older manifest as well.
        versions = (*versions, service.sign(versions[0], title="earlier"))
    response = service.post_sign(versions[-1], creator="Ada", title=f"Picture {seed}")
    assert response.status_code == 200, response.text
    signed = response.content
    damaged = DAMAGES[damage](signed, chance)
    if damaged == signed:
        return None
    proof_id = response.headers["X-Proof-Uri"].rsplit("/", 1)[1]
    return Case(format, damage, seed, versions, signed, damaged, proof_id)


def _picture(format: str, chance: random.Random, seed: int) -> bytes:
    options: dict = {} if format == "PNG" else {"quality": chance.choice((60, 80, 92))}
    if chance.random() < 0.3:
        options["exif"] = exif()
    if chance.random() < 0.2 and format != "PNG":
        options["xmp"] = XMP
    return saved(scene(*chance.choice(SIZES), seed), format, **options)


def _without_store(data: bytes) -> bytes | None:
    """The file without the store and what follows from its length; the whole file where it cannot be read."""
    try:
        return b"".join(content for name, content in parts(data) if name not in (STORE, "RIFF"))
    except (ValueError, IndexError, struct.error):
        return data


# Damage


def cut_anywhere(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(16, len(data))]


def cut_in_store(data: bytes, chance: random.Random) -> bytes:
    start, end = _store_range(data)
    return data[: chance.randrange(start + 1, end)]


def zeros_anywhere(data: bytes, chance: random.Random) -> bytes:
    return _overwritten(data, chance, 16, len(data), bytes)


def zeros_in_store(data: bytes, chance: random.Random) -> bytes:
    return _overwritten(data, chance, *_store_range(data), bytes)


def noise_in_store(data: bytes, chance: random.Random) -> bytes:
    return _overwritten(data, chance, *_store_range(data), chance.randbytes)


def store_header_gone(data: bytes, _: random.Random) -> bytes:
    start, _end = _store_range(data)
    return data[:start] + bytes(80) + data[start + 80 :]


def segments_reordered(data: bytes, chance: random.Random) -> bytes:
    """Everything between the header and the last part changes places: the picture, too, in PNG and WebP."""
    head, movable, tail = _movable(data)
    chance.shuffle(movable)
    return _joined(data, head, movable, tail)


def store_behind_the_end(data: bytes, _: random.Random) -> bytes:
    rest = _joined(data, *_kept(data, lambda name: name == STORE))
    return rest + b"".join(content for name, content in parts(data) if name == STORE)


def store_dropped(data: bytes, _: random.Random) -> bytes:
    return _joined(data, *_kept(data, lambda name: name == STORE))


def store_and_a_part_dropped(data: bytes, chance: random.Random) -> bytes:
    """With the store, one more part that no picture needs."""
    others = [name for name, _ in parts(data) if name in METADATA]
    victim = chance.choice(others) if others else STORE
    return _joined(data, *_kept(data, lambda name: name in (STORE, victim)))


def reencoded_with_xmp(data: bytes, chance: random.Random) -> bytes:
    return _reencoded(data, chance, xmp=True)


def reencoded_with_exif(data: bytes, chance: random.Random) -> bytes:
    return _reencoded(data, chance, exif=True)


def reencoded_with_both(data: bytes, chance: random.Random) -> bytes:
    return _reencoded(data, chance, xmp=True, exif=True)


def reencoded_without_metadata(data: bytes, chance: random.Random) -> bytes:
    return _reencoded(data, chance)


DAMAGES: dict[str, Damage] = {
    "cut anywhere": cut_anywhere,
    "cut in the store": cut_in_store,
    "zeros anywhere": zeros_anywhere,
    "zeros in the store": zeros_in_store,
    "noise in the store": noise_in_store,
    "header of the store gone": store_header_gone,
    "parts in another order": segments_reordered,
    "store behind the end": store_behind_the_end,
    "store dropped": store_dropped,
    "store and another part dropped": store_and_a_part_dropped,
    "encoded again, XMP kept": reencoded_with_xmp,
    "encoded again, EXIF kept": reencoded_with_exif,
    "encoded again, both kept": reencoded_with_both,
    "encoded again, nothing kept": reencoded_without_metadata,
}

METADATA = {"E1", "FE", "iTXt", "tEXt", "eXIf", "crLk", "EXIF", "XMP "}


def _store_range(data: bytes) -> tuple[int, int]:
    at = start = end = 0
    for name, content in parts(data):
        if name == STORE:
            start, end = start or at, at + len(content)
        at += len(content)
    return start, end


def _overwritten(data: bytes, chance: random.Random, start: int, end: int, filler: Callable[[int], bytes]) -> bytes:
    length = min(chance.choice((1, 16, 128, 1024, 4096)), end - start)
    at = chance.randrange(start, end - length + 1)
    return data[:at] + filler(length) + data[at + length :]


def _movable(data: bytes) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The first part, those that may change places, and the rest: from the frame header on in a JPEG, IEND in a PNG."""
    all_parts = parts(data)
    fixed = 2 if all_parts[0][0] == "signature" else 1
    names = [name for name, _ in all_parts]
    if "DB" in names:
        end = names.index("DB")
    else:
        end = len(names) - 1 if names[-1] == "IEND" else len(names)
    contents = [content for _, content in all_parts]
    return contents[:fixed], contents[fixed:end], contents[end:]


def _kept(data: bytes, dropped: Callable[[str], bool]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    contents = [content for name, content in parts(data) if not dropped(name)]
    return contents[:1], contents[1:], []


def _joined(data: bytes, head: list[bytes], movable: list[bytes], tail: list[bytes]) -> bytes:
    if data[:4] == b"RIFF":
        # Pad bytes come again with the size.
        return riff(b"".join(chunk + b"\0" * (len(chunk) % 2) for chunk in movable + tail))
    return b"".join(head + movable + tail)


def _reencoded(data: bytes, chance: random.Random, *, xmp: bool = False, exif: bool = False) -> bytes:
    picture = Image.open(io.BytesIO(data))
    kind = picture.format
    # Other settings than those that made the picture: else a PNG is, to the byte, the file that was sent to be signed.
    options: dict = {"quality": chance.choice((50, 70, 85))}
    if kind == "PNG":
        options = {"compress_level": chance.choice((1, 3, 9))}
    packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp")
    if exif and "exif" in picture.info:
        options["exif"] = picture.info["exif"]
    if xmp and packet:
        options["xmp"] = packet if isinstance(packet, bytes) else packet.encode()
    if kind == "PNG" and "xmp" in options:
        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
        options["pnginfo"] = texts
    return saved(Image.frombytes(picture.mode, picture.size, picture.tobytes()), kind, **options)


# What came of it


@dataclass(frozen=True)
class Outcome:
    """What verification says of a damaged file."""

    case: Case
    status: int
    report: dict

    @property
    def found(self) -> str:
        """`credential`: a manifest could be read. `proof`: none, but the proof was found. Else `nothing`."""
        if self.report["manifest"] is not None:
            return "credential"
        return "proof" if self.report["proof"] is not None else "nothing"

    @property
    def is_the_right_one(self) -> bool:
        """Whether the proof that was found is the file's own."""
        return self.report["proof"] is not None and self.report["proof"]["id"] == self.case.proof_id

    def _says_that_it_was_recovered(self) -> bool:
        codes = {status["code"] for status in self.report["status"]}
        return bool(codes & {"com.credlink.store.recovered", "com.credlink.store.misplaced"})

    def faults(self) -> Iterator[str]:
        """What must never be said."""
        if self.status != 200:
            yield f"the answer has status {self.status}"
            return
        extraction = self.report["extraction"]
        label = extraction["source"], extraction["confidence"], extraction["corrupted"]
        if self.report["valid"] and self.case.content_changed:
            yield "it is called valid although the content changed"
        if label == ("jumbf", 100, False) and not self.case.store_in_place:
            yield "it is called intact although the store is not"
        if extraction["confidence"] < 80 and extraction["source"] == "jumbf":
            yield "something salvaged is labelled as the manifest store"
        # The file that was sent to be signed carries nothing, and is known by its hash.
        if self.found != "nothing" and extraction["source"] == "none" and not self.case.is_known:
            yield "something was found, but not where"
        if self.found == "credential" and not self.case.store_in_place and not self._says_that_it_was_recovered():
            yield "a credential that does not stand in its place is not told from one that does"
        if extraction["source"] == "partial" and not extraction["corrupted"]:
            yield "something salvaged is not called damaged"


def outcome(service: Service, case: Case) -> Outcome:
    """Verifies the damaged file."""
    return Outcome(case, *service.verify_quickly(case.damaged, f"image/{case.format.lower()}"))


def table(outcomes: list[Outcome]) -> str:
    """The share of files, by damage and format, that still yield a credential, or at least the right proof."""
    counts: Counter = Counter()
    for one in outcomes:
        for row in (one.case.damage, "all"):
            for column in (one.case.format, "all"):
                counts[row, column, "files"] += 1
                counts[row, column, "credential"] += one.found == "credential"
                counts[row, column, "either"] += one.found == "credential" or one.is_the_right_one
    rows = [
        "| damage | files | JPEG | PNG | WebP | all |",
        "|---|---|---|---|---|---|",
    ]
    for row in (*DAMAGES, "all"):
        cells = []
        for column in (*FORMATS, "all"):
            files, credential, either = (counts[row, column, kind] for kind in ("files", "credential", "either"))
            cells.append(f"{credential / files:.0%} / {either / files:.0%}" if files else "–")
        rows.append(f"| {row} | {counts[row, 'all', 'files']} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--files", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--document", type=Path, default=ROOT / "docs" / "salvage.md")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        credlink.make_keys(data, "p-256")
        service = credlink.start(data, data / "service.log")
        try:
            outcomes = [outcome(service, case) for case in cases(service, options.files, options.seed)]
        finally:
            service.stop()
    for one in outcomes:
        for fault in one.faults():
            print(f"{one.case.format}, {one.case.damage}, seed {one.case.seed}: {fault}")
    figures = table(outcomes)
    print(figures)
    before, _, rest = options.document.read_text().partition("<!-- figures -->\n")
    _, _, after = rest.partition("<!-- end -->")
    options.document.write_text(f"{before}<!-- figures -->\n{figures}\n<!-- end -->{after}")
    if any(fault for one in outcomes for fault in one.faults()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
