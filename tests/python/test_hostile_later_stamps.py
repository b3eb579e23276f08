"""Time-stamps that were added later, by an update manifest in the file (C2PA 2.4, sections 11.2.3 and 18.18).

They count as those in the signature do: when they are of this signature, by an authority that is trusted, and not later
than the certificate allows.
"""

import functools
import hashlib
from collections.abc import Callable
from datetime import datetime

import cbor2

import authorities
import stamps
from authorities import NOW, TIME_STAMPING, YEAR, Holder
from c2pa_writer import UPDATE_MANIFEST, Manifest, assertion
from cose import Signature, to_be_stamped
from embedding import Hole
from hostile import Case, intermediate, judge, leaf, picture, small, stamper, table
from ingredients import Past, ingredient, past

THEN = NOW - 2 * YEAR
"""A time at which the expired signer was valid."""

EXPIRED = "signingCredential.expired"
UNTRUSTED = "signingCredential.untrusted"

LETTER = "what is stamped is the structure of 18.18.3 to the letter; they take a stamp of the signature's bytes alone"
HISTORY = "encypher says of an update's parent no more than that its hash fits"


@functools.cache
def expired() -> Holder:
    """A signer whose certificate ended a year ago."""
    return intermediate().leaf(name="Expired", not_before=NOW - 3 * YEAR, not_after=NOW - YEAR)


def parts_of(before: Past) -> tuple[bytes, bytes]:
    """The protected header and the signature of a manifest."""
    cose = before.signature[before.signature.rindex(b"cbor") + 4 :]
    protected, _, _, value = cbor2.loads(cose).value
    return protected, value


def of_signature(before: Past) -> bytes:
    """What is stamped as a rule: the bytes of the signature."""
    return parts_of(before)[1]


def of_structure(before: Past) -> bytes:
    """What is to be stamped by the letter of the specification."""
    protected, value = parts_of(before)
    return to_be_stamped(protected, cbor2.dumps(value))


def of_something_else(before: Past) -> bytes:
    """What has nothing to do with it."""
    return b"another signature"


Message = Callable[[Past], bytes]


def later(
    when: datetime | None = THEN,
    by: Callable[[], Holder] = stamper,
    message: Message = of_signature,
    signer: Callable[[], Holder] = expired,
    **how,
) -> Callable[[], bytes]:
    """An image whose signer has expired, with an update manifest that adds such a stamp; or none."""

    def make() -> bytes:
        hole = Hole(33, 1, hashlib.sha256(small("png")).digest())
        before = past(Manifest(Signature(signer(), **how)), hole=hole)
        assertions = [ingredient(before)]
        if when is not None:
            token = stamps.made(by(), when)(message(before))
            assertions.append(assertion("c2pa.time-stamp", {before.label: token}))
        update = Manifest(Signature(leaf()), kind=UPDATE_MANIFEST, assertions=assertions, bind=lambda _: [])
        return picture(update, before.box)

    return make


GOOD = [
    Case("stamped in time", later(), "trusted"),
    Case("stamped in time, by the letter", later(message=of_structure), "trusted", c2pa="Invalid", because=LETTER),
    Case("not expired, and stamped", later(NOW, signer=leaf), "trusted"),
    Case("not expired, and a stamp of something else", later(NOW, signer=leaf, message=of_something_else), "trusted"),
]  # fmt: skip


def unknown() -> Holder:
    """An authority for time-stamps that nobody knows."""
    return authorities.root("Unknown stamps").leaf(
        name="Unknown stamper", purposes=(TIME_STAMPING,), not_before=NOW - 8 * YEAR
    )


def under_signers() -> Holder:
    """An authority for time-stamps under the root of signers."""
    return intermediate().leaf(name="Stamper of signers", purposes=(TIME_STAMPING,), not_before=NOW - 8 * YEAR)


def stranger() -> Holder:
    """A signer whom nobody knows, and who has expired."""
    return authorities.root("Unknown").leaf(name="Expired stranger", not_before=NOW - 3 * YEAR, not_after=NOW - YEAR)


BAD = [
    Case("not stamped", later(None), "invalid", history=[EXPIRED], encypher="Trusted", because=HISTORY),
    Case("stamped too late", later(NOW), "invalid", history=[EXPIRED], encypher="Trusted", because=HISTORY),
    Case("stamped too early", later(NOW - 4 * YEAR), "invalid", history=[EXPIRED], encypher="Trusted", because=HISTORY),
    Case("a stamp of something else", later(message=of_something_else), "invalid", history=[EXPIRED], encypher="Trusted", because=HISTORY),
    Case("a stamp of an unknown authority", later(by=unknown), "invalid", history=[EXPIRED], encypher="Trusted", because=HISTORY),
    Case("a stranger, stamped in time", later(signer=stranger), "invalid", history=[EXPIRED, UNTRUSTED], c2pa="Valid", encypher="Trusted", because=HISTORY),
    Case("two signers, stamped in time", later(chain_in="both"), "invalid", ["claimSignature.mismatch"], encypher="Trusted", because=HISTORY),
]  # fmt: skip


KNOWN = [
    # The C2PA library judges the history, and has one list of anchors for it.
    Case("a stamp of an authority of signers", later(by=under_signers), "trusted"),
]  # fmt: skip


@table(GOOD)
def test_later_stamps_that_count(case, tmp_path):
    judge(case, tmp_path)


@table(BAD)
def test_later_stamps_that_do_not_count(case, tmp_path):
    judge(case, tmp_path)


@table(KNOWN)
def test_later_stamps_that_count_though_they_should_not(case, tmp_path):
    judge(case, tmp_path)
