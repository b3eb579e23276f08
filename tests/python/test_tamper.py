"""Change a single byte anywhere in a signed file: it is never valid again."""

import itertools
import shutil
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

import credlink
from containers import STORE, media_type, parts
from credlink import Service
from images import corpus, smallest

MASKS = (0x01, 0x20, 0x80, 0xFF)
"""What a byte is changed by: the lowest bit, the case of a letter, the highest bit, all."""

THREADS = 4


@pytest.fixture(scope="module")
def stranger(service: Service, tmp_path_factory: pytest.TempPathFactory):
    """A service with the same keys that has no proofs: only what is in the file can tell."""
    data = tmp_path_factory.mktemp("stranger")
    shutil.copytree(service.data / "keys", data / "keys")
    other = credlink.start(data, data / "service.log")
    yield other
    other.stop()


@pytest.fixture(scope="module", params=["jpeg", "png", "webp"])
def small(request, service: Service) -> bytes:
    """A small signed file."""
    signed = service.sign(smallest()[request.param])
    assert len(signed) < 10_000
    return signed


def test_the_untouched_file_is_valid_for_both(service, stranger, small):
    assert service.verify(small)["valid"] is True
    report = stranger.verify(small)
    assert report["valid"] is True
    assert report["details"]["proofFound"] is False


def test_every_byte_matters(service, small):
    assert_never_valid(service, changes(small, range(len(small)), shift=0))


def test_every_byte_matters_without_a_proof(stranger, small):
    assert_never_valid(stranger, changes(small, range(len(small)), shift=1))


@pytest.mark.parametrize("shift", [2, 3])
def test_every_byte_of_the_credential_matters_in_every_bit(stranger, small, shift):
    """The rest of the masks, where it is hard: in the store and what wraps it."""
    start, end = store_range(small)
    assert_never_valid(stranger, changes(small, range(max(start - 64, 0), min(end + 64, len(small))), shift=shift))


@pytest.mark.parametrize("mask", MASKS)
def test_a_checksum_made_to_fit_helps_nobody(service, stranger, mask):
    """In a PNG the checksum of the chunk gives a careless change away, but not a careful one."""
    signed = service.sign(smallest()["png"])
    start, end = store_range(signed)
    cases = []
    for at in range(start + 8, end - 4):
        changed = bytearray(signed)
        changed[at] ^= mask
        changed[end - 4 : end] = struct.pack(">I", zlib.crc32(changed[start + 4 : end - 4]))
        cases.append((f"byte {at} ^ {mask:#04x}", bytes(changed)))
    assert_never_valid(stranger, cases)


@pytest.mark.parametrize("sample", ["jpeg-large", "png-large", "webp-large"])
def test_bytes_of_a_large_file_matter(service, stranger, sample):
    signed = service.sign(corpus()[sample])
    offsets = itertools.chain(range(0, 64), range(64, len(signed), len(signed) // 100), [len(signed) - 1])
    offsets = sorted(set(offsets))
    assert_never_valid(service, changes(signed, offsets, shift=0))
    assert_never_valid(stranger, changes(signed, offsets, shift=1))


@pytest.mark.parametrize("sample", ["jpeg-baseline", "png-palette", "webp-lossy", "jpeg-bytes-after-eoi"])
def test_added_and_removed_bytes_matter(service, stranger, sample):
    signed = service.sign(corpus()[sample])
    steps = range(12, len(signed), 97)
    longer = [(f"+{at}", signed[:at] + b"\0" + signed[at:]) for at in [*steps, len(signed)]]
    shorter = [(f"-{at}", signed[:at] + signed[at + 1 :]) for at in [*steps, len(signed) - 1]]
    cut = [(f"cut {at}", signed[:at]) for at in steps]
    for one in (service, stranger):
        assert_never_valid(one, longer + shorter + cut)


def changes(signed: bytes, offsets, shift: int):
    """The file with one byte changed, for every offset. `shift` chooses which mask goes with which offset."""
    for at in offsets:
        mask = MASKS[(at + shift) % len(MASKS)]
        changed = bytearray(signed)
        changed[at] ^= mask
        yield f"byte {at} ^ {mask:#04x}", bytes(changed)


def assert_never_valid(service: Service, cases) -> None:
    """None of the files is valid, and each gets a report, or an answer that it is no image."""
    cases = list(cases)
    kind = media_type(cases[-1][1])

    def fault(case) -> str | None:
        name, image = case
        status, answer = service.verify_quickly(image, kind)
        if status == 400 and answer["error"]["code"] == "INVALID_FILE_TYPE" and not is_image(image):
            return None
        if status != 200:
            return f"{name}: {status} {answer}"
        if answer["valid"] is not False:
            return f"{name}: valid"
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        faults = [one for one in pool.map(fault, cases) if one]
    assert not faults, f"{len(faults)} of {len(cases)}: " + "\n".join(faults[:20])


def is_image(data: bytes) -> bool:
    """Whether the first bytes still tell a known format."""
    try:
        media_type(data)
    except ValueError:
        return False
    return True


def store_range(signed: bytes) -> tuple[int, int]:
    """Where the manifest store stands in the file, with what wraps it."""
    at = 0
    found = []
    for name, content in parts(signed):
        if name == STORE:
            found.append((at, at + len(content)))
        at += len(content)
    return found[0][0], found[-1][1]
