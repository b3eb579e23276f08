"""Hostile time-stamps: a certificate that expired is expired unless a trusted stamp says when it signed."""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta

import authorities
import stamps
from authorities import NOW, TIME_STAMPING, YEAR, Holder
from hostile import Case, intermediate, judge, leaf, signed_by, stamp_root, stamper, table

# Why other validators come to another verdict.
REJECTED = "encypher counts the time against trust alone; outside the validity the manifest is rejected (15.8)"
ONE_LIST = "c2pa-python has one list for signers and time-stamp authorities; they are two (14.4)"

VALIDATED, TRUSTED = "timeStamp.validated", "timeStamp.trusted"
OUTSIDE = "claimSignature.outsideValidity"
THEN = NOW - 2 * YEAR
"""A time at which the expired signer was valid."""


@functools.cache
def expired() -> Holder:
    """A signer whose certificate ended a year ago."""
    return intermediate().leaf(name="Expired", not_before=NOW - 3 * YEAR, not_after=NOW - YEAR)


def stamped(
    signer: Callable[[], Holder], stamp: Callable[[], stamps.Stamp], header: str = "sigTst2"
) -> Callable[[], bytes]:
    """An image signed and stamped."""
    return lambda: signed_by(signer(), stamp=stamp(), stamp_header=header)()


def made(holder: Callable[[], Holder], when: datetime = NOW, **how) -> Callable[[], stamps.Stamp]:
    """A stamp by this authority at this time."""
    return lambda: stamps.made(holder(), when, **how)


def legacy(holder: Callable[[], Holder], when: datetime = NOW) -> Callable[[], stamps.Stamp]:
    """A stamp as it stands in the legacy header."""
    return lambda: lambda data: stamps.response_with(stamps.made(holder(), when)(data))


def authority(**says) -> Callable[[], Holder]:
    """An authority for time-stamps under the trusted root, which says this."""
    return lambda: stamp_root().leaf(**({"purposes": (TIME_STAMPING,), "not_before": NOW - 8 * YEAR} | says))


@functools.cache
def unknown() -> Holder:
    """An authority for time-stamps that nobody knows."""
    return authorities.root("Unknown stamps").leaf(
        name="Unknown stamper", purposes=(TIME_STAMPING,), not_before=NOW - 8 * YEAR
    )


def under_signers() -> Holder:
    """An authority for time-stamps under the root of signers."""
    return intermediate().leaf(name="Stamper of signers", purposes=(TIME_STAMPING,), not_before=NOW - 8 * YEAR)


def noise(data: bytes) -> bytes:
    return bytes(range(256))


def cut(data: bytes) -> bytes:
    return stamps.made(stamper())(data)[:-40]


def other_signature(data: bytes) -> bytes:
    token = stamps.made(stamper())(data)
    return token[:-1] + bytes([token[-1] ^ 1])


GOOD = [
    Case("a stamp by openssl", stamped(leaf, lambda: stamps.by_openssl(stamper())), "trusted", says=[VALIDATED, TRUSTED]),
    Case("a stamp made here", stamped(leaf, made(stamper)), "trusted", says=[VALIDATED, TRUSTED]),
    Case("a legacy stamp", stamped(leaf, lambda: stamps.answered(stamper()), "sigTst"), "trusted", says=[VALIDATED, TRUSTED]),
    Case("expired, stamped in time", stamped(expired, made(stamper, THEN)), "trusted", says=[VALIDATED, TRUSTED, "claimSignature.insideValidity"], checks={"validity": "passed", "chain": "passed"}),
    Case("expired, with a legacy stamp in time", stamped(expired, legacy(stamper, THEN), "sigTst"), "trusted", says=[VALIDATED, TRUSTED], checks={"validity": "passed"}),
    Case("expired and stamped in time, by an authority that expired since", stamped(expired, made(authority(name="Old stamper", not_after=NOW - YEAR), THEN)), "trusted", says=[TRUSTED]),
]  # fmt: skip

UNTRUSTED = [
    Case("a stamp of an unknown authority", stamped(leaf, made(unknown)), "trusted", says=["timeStamp.untrusted"], silent=[TRUSTED]),
    Case("a legacy stamp of an unknown authority", stamped(leaf, legacy(unknown), "sigTst"), "trusted", says=["timeStamp.untrusted"], silent=[TRUSTED]),
    Case("expired, stamped in time by an unknown authority", stamped(expired, made(unknown, THEN)), "invalid", [OUTSIDE], says=["timeStamp.untrusted"], silent=[TRUSTED], encypher="Valid", because=REJECTED),
    Case("expired, with a legacy stamp in time by an unknown authority", stamped(expired, legacy(unknown, THEN), "sigTst"), "invalid", [OUTSIDE], says=["timeStamp.untrusted"], silent=[TRUSTED], encypher="Valid", because=REJECTED),
    Case("expired, stamped in time by an authority of signers", stamped(expired, made(under_signers, THEN)), "invalid", [OUTSIDE], silent=[TRUSTED], c2pa="Trusted", encypher="Valid", because=ONE_LIST + "; " + REJECTED),
    Case("expired, stamped in time by itself", stamped(expired, made(expired, THEN)), "invalid", [OUTSIDE], silent=[TRUSTED], encypher="Valid", because=REJECTED),
    Case("expired, stamped in time by an authority without the purpose", stamped(expired, made(authority(name="No purpose", purposes=None), THEN)), "invalid", [OUTSIDE], silent=[TRUSTED], encypher="Valid", because=REJECTED),
    Case("expired, stamped in time by an authority for e-mail", stamped(expired, made(authority(name="E-mail stamper", purposes=(authorities.EMAIL_PROTECTION,)), THEN)), "invalid", [OUTSIDE], silent=[TRUSTED], encypher="Valid", because=REJECTED),
    Case("expired, stamped in time by an authority for more than stamps", stamped(expired, made(authority(name="More than stamps", purposes=(TIME_STAMPING, authorities.EMAIL_PROTECTION)), THEN)), "invalid", [OUTSIDE], silent=[TRUSTED], encypher="Valid", because=REJECTED),
    Case("expired, stamped in time, no time-stamp anchors", stamped(expired, made(stamper, THEN)), "invalid", [OUTSIDE], silent=[TRUSTED], tsa_anchors=lambda: authorities.root("Somebody").pem, encypher="Valid", because=REJECTED),
]  # fmt: skip

OUTSIDE_VALIDITY = [
    Case("a stamp after the end of its authority", stamped(leaf, made(authority(name="Ended stamper", not_after=NOW - YEAR))), "trusted", says=["timeStamp.outsideValidity"], silent=[TRUSTED]),
    Case("expired, stamped in time before the beginning of the authority", stamped(expired, made(authority(name="Young stamper", not_before=NOW - YEAR), THEN)), "invalid", [OUTSIDE], says=["timeStamp.outsideValidity"], silent=[TRUSTED], encypher="Valid", because=REJECTED),
    Case("expired, stamped after its end", stamped(expired, made(stamper, NOW)), "invalid", [OUTSIDE], says=[TRUSTED], encypher="Valid", because=REJECTED),
    Case("expired, stamped before its beginning", stamped(expired, made(stamper, NOW - 4 * YEAR)), "invalid", [OUTSIDE], encypher="Valid", because=REJECTED),
    Case("valid now, stamped before its beginning", stamped(leaf, made(stamper, NOW - 4 * YEAR)), "invalid", [OUTSIDE], encypher="Valid", because=REJECTED),
    Case("a stamp of tomorrow", stamped(leaf, made(stamper, NOW + timedelta(days=1))), "trusted"),
]  # fmt: skip

BROKEN = [
    Case("a stamp of something else", stamped(leaf, made(stamper, about=b"something else")), "trusted", says=["timeStamp.mismatch"], silent=[TRUSTED, VALIDATED]),
    Case("expired, stamped in time about something else", stamped(expired, made(stamper, THEN, about=b"something else")), "invalid", [OUTSIDE], says=["timeStamp.mismatch"], silent=[TRUSTED], encypher="Valid", because=REJECTED),
    Case("a legacy stamp of something else", stamped(leaf, lambda: lambda data: stamps.answered(stamper())(b"something else"), "sigTst"), "trusted", says=["timeStamp.mismatch"], silent=[TRUSTED]),
    Case("a stamp of noise", stamped(leaf, lambda: noise), "trusted", says=["timeStamp.malformed"], silent=[TRUSTED]),
    Case("a stamp of no bytes", stamped(leaf, lambda: lambda data: b""), "trusted", says=["timeStamp.malformed"], silent=[TRUSTED]),
    Case("a stamp that ends early", stamped(leaf, lambda: cut), "trusted", says=["timeStamp.malformed"], silent=[TRUSTED]),
    Case("a stamp with another signature", stamped(leaf, lambda: other_signature), "trusted", silent=[TRUSTED]),
    Case("a whole response where a token belongs", stamped(leaf, lambda: stamps.answered(stamper())), "trusted"),
    Case("a token where a response belongs", stamped(leaf, made(stamper), "sigTst"), "trusted"),
    Case("no tokens", lambda: signed_by(leaf(), unprotected=(("sigTst2", {"tstTokens": []}),))(), "trusted", silent=[VALIDATED, TRUSTED]),
    Case("tokens that are text", lambda: signed_by(leaf(), unprotected=(("sigTst2", {"tstTokens": ["now"]}),))(), "trusted", silent=[VALIDATED, TRUSTED]),
    Case("1 000 tokens of noise", lambda: signed_by(leaf(), unprotected=(("sigTst2", {"tstTokens": [{"val": b"x"}] * 1000}),))(), "trusted", says=["timeStamp.malformed"]),
]  # fmt: skip


@table(GOOD)
def test_stamps_that_count(case, tmp_path):
    judge(case, tmp_path)


@table(UNTRUSTED)
def test_stamps_of_nobody(case, tmp_path):
    judge(case, tmp_path)


@table(OUTSIDE_VALIDITY)
def test_stamps_out_of_time(case, tmp_path):
    judge(case, tmp_path)


@table(BROKEN)
def test_broken_stamps(case, tmp_path):
    judge(case, tmp_path)
