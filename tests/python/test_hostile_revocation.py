"""Hostile revocation: OCSP responses that were stapled to a signature (C2PA 2.4, section 15.9)."""

import functools
from collections.abc import Callable

from cryptography import x509
from cryptography.x509 import ocsp

import authorities
import stamps
import staples
from authorities import DAY, NOW, OCSP_SIGNING, YEAR, Holder
from hostile import Case, intermediate, judge, leaf, root, signed_by, stamper, table

GOOD, REVOKED, UNKNOWN = (f"signingCredential.ocsp.{name}" for name in ("notRevoked", "revoked", "unknown"))


@functools.cache
def responder() -> Holder:
    """Who may answer for the intermediate."""
    nocheck = x509.OCSPNoCheck()
    return intermediate().leaf(name="Responder", purposes=(OCSP_SIGNING,), further=((nocheck, False),))


def stapled(*answers: Callable[[], bytes], **how) -> Callable[[], bytes]:
    """An image with these answers in its signature."""
    return lambda: signed_by(leaf(), staples=tuple(answer() for answer in answers), **how)()


def answer(by: Callable[[], Holder] | None = responder, about: Callable[[], Holder] = leaf, **says) -> Callable[[], bytes]:
    """What a responder, else the issuer itself, says about a signer."""
    return lambda: staples.response(about(), intermediate(), by() if by else None, **says)


def stranger() -> Holder:
    """Who may answer for nobody here."""
    return authorities.root("Other root of responders").leaf(name="Stranger", purposes=(OCSP_SIGNING,))


def without_purpose() -> Holder:
    return intermediate().leaf(name="No responder")


def expired_responder() -> Holder:
    return intermediate().leaf(name="Expired responder", purposes=(OCSP_SIGNING,), not_before=NOW - 3 * YEAR, not_after=NOW - YEAR)  # fmt: skip


def of_the_root() -> Holder:
    return root().leaf(name="Responder of the root", purposes=(OCSP_SIGNING,))


def now_stamped(**how) -> dict:
    """Stamped now by somebody trusted."""
    return {"stamp": lambda data: stamps.made(stamper())(data)} | how


PASSED, FAILED, SKIPPED = {"revocation": "passed"}, {"revocation": "failed"}, {"revocation": "notChecked"}
# Why other validators come to another verdict.
STAMPED_ALONE = "it looks at stapled responses only of signatures with a stamp (15.9)"
TRUST_ALONE = "it counts revocation against trust alone; the manifest is rejected (15.9)"
BY_OTHERS = "it does not take the issuer's own answer; the issuer may sign for itself (15.9; RFC 6960, 4.2.2.2)"
SINCE = "it does not ask when it was revoked; what was signed and stamped before stays good (15.9)"
NOT_UNKNOWN = "it passes over an answer that the responder does not know the signer (15.9)"
FIRST = "it looks at the first response alone (15.9)"

ANSWERS = [
    Case("nothing stapled", lambda: signed_by(leaf())(), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("good, by a responder", stapled(answer()), "trusted", says=[GOOD], checks=PASSED),
    Case("good, by the issuer", stapled(answer(None)), "trusted", says=[GOOD], checks=PASSED),
    Case("good, by openssl", stapled(lambda: staples.by_openssl(leaf(), intermediate(), responder())), "trusted", says=[GOOD], checks=PASSED),
    Case("good, with a stamp", stapled(answer(), **now_stamped()), "trusted", says=[GOOD], checks=PASSED),
    Case("revoked, by a responder", stapled(answer(revoked=NOW - DAY)), "invalid", [REVOKED], checks=FAILED, encypher="Trusted", because=STAMPED_ALONE),
    Case("revoked, by the issuer", stapled(answer(None, revoked=NOW - DAY)), "invalid", [REVOKED], checks=FAILED, encypher="Trusted", c2pa="Trusted", because=BY_OTHERS),
    Case("revoked, by openssl", stapled(lambda: staples.by_openssl(leaf(), intermediate(), responder(), NOW - DAY)), "invalid", [REVOKED], checks=FAILED, encypher="Trusted", because=STAMPED_ALONE),
    Case("revoked before the stamp", stapled(answer(revoked=NOW - DAY), **now_stamped()), "invalid", [REVOKED], checks=FAILED, encypher="Valid", because=TRUST_ALONE),
    Case("revoked after the stamp", stapled(answer(revoked=NOW - DAY), stamp=lambda data: stamps.made(stamper(), NOW - 30 * DAY)(data)), "trusted", silent=[REVOKED], checks=SKIPPED, encypher="Valid", c2pa="Invalid", because=SINCE),
    Case("revoked after the stamp, for a key that was stolen", stapled(answer(revoked=NOW - DAY, reason=x509.ReasonFlags.key_compromise), stamp=lambda data: stamps.made(stamper(), NOW - 30 * DAY)(data)), "trusted", silent=[REVOKED], checks=SKIPPED, encypher="Valid", because=SINCE),
    Case("unknown", stapled(answer(status=ocsp.OCSPCertStatus.UNKNOWN)), "invalid", [UNKNOWN], checks=FAILED, encypher="Trusted", c2pa="Trusted", because=NOT_UNKNOWN),
    Case("good, and revoked in a second response", stapled(answer(), answer(revoked=NOW - DAY)), "invalid", [REVOKED], checks=FAILED, encypher="Trusted", c2pa="Trusted", because=FIRST),
]  # fmt: skip

USELESS = [
    Case("good until yesterday", stapled(answer(this_update=NOW - 9 * DAY, next_update=NOW - DAY)), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("good from tomorrow", stapled(answer(this_update=NOW + DAY, next_update=NOW + 2 * DAY)), "trusted", silent=[GOOD], checks=SKIPPED, c2pa="Invalid", because="it takes an answer from the future for a revocation; it says nothing (15.9; RFC 6960, 4.2.2.1)"),
    Case("good, of another certificate", stapled(answer(about=lambda: intermediate().leaf(name="Somebody else"))), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("revoked, of another certificate", stapled(answer(about=lambda: intermediate().leaf(name="Somebody else"), revoked=NOW - DAY)), "trusted", silent=[REVOKED], checks=SKIPPED),
    Case("good, by a stranger", stapled(answer(stranger)), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("revoked, by a stranger", stapled(answer(stranger, revoked=NOW - DAY)), "trusted", silent=[REVOKED], checks=SKIPPED),
    Case("good, by somebody without the purpose", stapled(answer(without_purpose)), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("good, by the signer itself", stapled(answer(leaf)), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("good, by a responder that expired", stapled(answer(expired_responder)), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("good, by a responder of the root", stapled(answer(of_the_root)), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("good, with a bad signature", stapled(lambda: staples.with_bad_signature(answer()())), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("revoked, with a bad signature", stapled(lambda: staples.with_bad_signature(answer(revoked=NOW - DAY)())), "trusted", silent=[REVOKED], checks=SKIPPED),
    Case("the responder asks to try later", stapled(staples.refusal), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("a response of noise", stapled(lambda: bytes(range(256))), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("a response of no bytes", stapled(lambda: b""), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("1 000 responses of noise", stapled(*[lambda: b"x"] * 1000), "trusted", silent=[GOOD], checks=SKIPPED),
    Case("a response of 5 MB", stapled(lambda: staples.enormous(answer()(), 5_000_000)), "trusted", silent=[GOOD], checks=SKIPPED),
]  # fmt: skip


@table(ANSWERS)
def test_answers(case, tmp_path):
    judge(case, tmp_path)


@table(USELESS)
def test_answers_that_say_nothing(case, tmp_path):
    judge(case, tmp_path)
