"""Hostile certificates: each fails one check of its own, and passes the others."""

import functools
from collections.abc import Callable
from datetime import timedelta

from cryptography import x509

import authorities
import der
from authorities import (
    ANY_PURPOSE,
    C2PA_SIGNING,
    CODE_SIGNING,
    DOCUMENT_SIGNING,
    EMAIL_PROTECTION,
    NOW,
    OCSP_SIGNING,
    SERVER_AUTH,
    TIME_STAMPING,
    YEAR,
    Holder,
)
from hostile import Case, intermediate, judge, leaf, root, signed_by, stamp_root, table

UNTRUSTED, INVALID, OUTSIDE = "signingCredential.untrusted", "signingCredential.invalid", "claimSignature.outsideValidity"

# Why other validators come to another verdict.
ONE_LIST = "it has one list of authorities and purposes for signers, time-stamps and OCSP; they are three (14.4)"
IN_ORDER = "it wants every certificate to issue the one before it; who issued it does not depend on the order (14.5)"
NAMES = "it does not look at name constraints (14.5; RFC 5280, 4.2.1.10)"
LENGTH = "the specification sets no limit to a chain; every validator sets its own (14.5)"
DER = "it reads what is not DER, so that two readers may see two certificates (14.5; RFC 5280, 4.1)"
REJECTED = "it counts the time against trust alone; outside the validity the manifest is rejected (15.8)"

FINE = {name: "passed" for name in ("chain", "validity", "signature", "keyUsage", "extendedKeyUsage", "basicConstraints")}


def failing(*names: str) -> dict[str, str]:
    """The checks when these fail and the others pass. Without a chain the signatures in it are not all checked."""
    checks = FINE | dict.fromkeys(names, "failed")
    return {name: result for name, result in checks.items() if "chain" not in names or name in names or name != "signature"}


def issued(**says) -> Callable[[], bytes]:
    """An image signed by a certificate of the intermediate that says this."""
    return lambda: signed_by(intermediate().leaf(**says))()


def purposes(*wanted: str) -> Callable[[], bytes]:
    """An image signed by a certificate for these purposes."""
    return issued(purposes=wanted or None)


PURPOSES = [
    Case("for claim signing", purposes(C2PA_SIGNING), "trusted", checks=FINE),
    Case("for e-mail", purposes(EMAIL_PROTECTION), "trusted", checks=FINE),
    Case("for documents", purposes(DOCUMENT_SIGNING), "trusted", checks=FINE),
    Case("for e-mail and servers", purposes(EMAIL_PROTECTION, SERVER_AUTH), "trusted", checks=FINE),
    Case("for any purpose", purposes(ANY_PURPOSE), "invalid", [INVALID], checks=failing("extendedKeyUsage")),
    Case("for e-mail and any purpose", purposes(EMAIL_PROTECTION, ANY_PURPOSE), "invalid", [INVALID], checks=failing("extendedKeyUsage")),
    Case("for no purpose", purposes(), "invalid", [INVALID], checks=failing("extendedKeyUsage")),
    Case("for servers", purposes(SERVER_AUTH), "invalid", [INVALID], checks=failing("extendedKeyUsage")),
    Case("for code", purposes(CODE_SIGNING), "invalid", [INVALID], checks=failing("extendedKeyUsage")),
    Case("for time-stamps", purposes(TIME_STAMPING), "invalid", [INVALID], checks=failing("extendedKeyUsage"), c2pa="Trusted", because=ONE_LIST),
    Case("for OCSP", purposes(OCSP_SIGNING), "invalid", [INVALID], checks=failing("extendedKeyUsage"), c2pa="Trusted", because=ONE_LIST),
    Case("for claim signing and time-stamps", purposes(C2PA_SIGNING, TIME_STAMPING), "invalid", [INVALID], checks=failing("extendedKeyUsage")),
]  # fmt: skip

USAGES = [
    Case("no key usage", issued(usages=None), "invalid", [INVALID], checks=failing("keyUsage")),
    Case("a key for encryption", issued(usages=("key_encipherment",)), "invalid", [INVALID], checks=failing("keyUsage")),
    Case("a key for non-repudiation alone", issued(usages=("content_commitment",)), "invalid", [INVALID], checks=failing("keyUsage"), c2pa="Trusted", because="it takes any key usage of signatures; signers have digitalSignature (14.5)"),
    Case("a key for signatures and certificates", issued(usages=("digital_signature", "key_cert_sign")), "invalid", [INVALID], checks=failing("keyUsage")),
    Case("an authority as the signer", lambda: signed_by(intermediate().issue(authorities.Profile("CA leaf", authority=True, usages=("digital_signature", "key_cert_sign"))))(), "invalid", [INVALID, UNTRUSTED], checks={"basicConstraints": "failed"}),
    Case("no basic constraints", issued(authority=None), "trusted", checks=FINE),
]  # fmt: skip


@functools.cache
def short_path() -> Holder:
    """An authority that may have no authority under it."""
    return root().authority("Short path", path_length=0)


@functools.cache
def too_long() -> Holder:
    """A signer under an authority that is not to be."""
    return short_path().authority("Below short path").leaf(name="Too long")


def constrained(**names) -> Holder:
    """A signer under an authority with name constraints."""
    extension = x509.NameConstraints(names.get("permitted"), names.get("excluded"))
    return root().authority("Constrained", further=((extension, True),)).leaf(name="Constrained leaf")


def directory(organization: str) -> list[x509.GeneralName]:
    """The names of an organisation."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "DE"), x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization)])  # fmt: skip
    return [x509.DirectoryName(name)]


@functools.cache
def cross_signed() -> tuple[Holder, bytes]:
    """An intermediate of another root, and its certificate by ours."""
    other = authorities.root("Other root").authority("Crossed")
    again = root().authority("Crossed")
    return other.leaf(name="Crossed leaf"), again.der


def loop() -> tuple[Holder, tuple[bytes, ...]]:
    """A signer under two authorities that vouch for each other."""
    first, second = authorities.root("Loop A"), authorities.root("Loop B")
    first_again = second.authority("Loop A")
    second_again = first.authority("Loop B")
    signer = first.leaf(name="Loop leaf")
    return signer, (signer.der, first_again.der, second_again.der, first_again.der)


def chained(make: Callable[[], tuple[Holder, tuple[bytes, ...]]]) -> Callable[[], bytes]:
    """An image whose chain is made besides the signer."""

    def image() -> bytes:
        signer, chain = make()
        return signed_by(signer, chain=chain)()

    return image


def root_der() -> bytes:
    return root().der


def many(count: int) -> tuple[Holder, tuple[bytes, ...]]:
    """A signer with certificates of others between it and its issuer."""
    other = authorities.root("Filler").der
    return leaf(), (leaf().der, *[other] * count, intermediate().der)


def long_chain(length: int) -> tuple[Holder, tuple[bytes, ...]]:
    """A signer under so many authorities."""
    above = root()
    for number in range(length):
        above = above.authority(f"Step {number}")
    signer = above.leaf(name="Deep leaf")
    return signer, signer.chain


PATHS = [
    Case("nobody is trusted", lambda: signed_by(leaf())(), "valid", [UNTRUSTED], anchors=lambda: authorities.root("Somebody").pem, checks=failing("chain")),
    Case("of another root", lambda: signed_by(authorities.root("Stranger root").leaf(name="Stranger leaf"))(), "valid", [UNTRUSTED], checks=failing("chain")),
    Case("of another root of the same name", lambda: signed_by(authorities.self_signed(authorities.Profile("False root", subject="Root", authority=True, usages=authorities.AUTHORITY, purposes=None)).leaf(name="False leaf"))(), "valid", [UNTRUSTED], checks=failing("chain")),
    Case("of a root for time-stamps alone", lambda: signed_by(stamp_root().leaf(name="Signer of stamps"))(), "valid", [UNTRUSTED], checks=failing("chain"), c2pa="Trusted", because=ONE_LIST),
    Case("self-signed", lambda: signed_by(authorities.self_signed(authorities.Profile("Self")))(), "valid", [UNTRUSTED], checks=failing("chain")),
    Case("self-signed, and its own anchor", lambda: signed_by(authorities.self_signed(authorities.Profile("Anchor")))(), "valid", [UNTRUSTED], anchors=lambda: authorities.self_signed(authorities.Profile("Anchor")).pem, c2pa="Trusted", because="it takes a signer that is an anchor itself; signers are issued by an authority (14.5)"),
    Case("straight under the root", lambda: signed_by(root().leaf(name="First"))(), "trusted", checks=FINE),
    Case("with the root in the chain", chained(lambda: (leaf(), (*leaf().chain, root_der()))), "trusted", checks=FINE),
    Case("without the intermediate", chained(lambda: (leaf(), leaf().chain[:1])), "valid", [UNTRUSTED], checks=failing("chain")),
    Case("the intermediate is the anchor", lambda: signed_by(leaf())(), "trusted", anchors=lambda: intermediate().pem, checks=FINE),
    Case("two intermediates in the wrong order", chained(lambda: (too_deep := root().authority("One").authority("Two").leaf(name="Wrong order"), (too_deep.chain[0], too_deep.chain[2], too_deep.chain[1]))), "trusted", checks=FINE, c2pa="Valid", because=IN_ORDER),
    Case("others among the certificates", chained(lambda: many(3)), "trusted", checks=FINE, c2pa="Valid", because=IN_ORDER),
    Case("cross-signed", chained(lambda: (cross_signed()[0], (*cross_signed()[0].chain, cross_signed()[1]))), "trusted", checks=FINE, c2pa="Valid", because=IN_ORDER),
    Case("authorities in a loop", chained(loop), "valid", [UNTRUSTED], checks=failing("chain")),
    Case("a path that is too long", lambda: signed_by(too_long())(), "valid", [UNTRUSTED], checks=failing("chain")),
    Case("a leaf as the issuer", lambda: signed_by(intermediate().leaf(name="No authority").leaf(name="Below a leaf"))(), "valid", [UNTRUSTED], checks=failing("chain")),
    Case("an issuer that may not sign certificates", lambda: signed_by(root().authority("No signing", usages=("crl_sign",)).leaf(name="Below it"))(), "valid", [UNTRUSTED], checks=failing("chain")),
    Case("outside the permitted names", lambda: signed_by(constrained(permitted=directory("Somebody else")))(), "valid", [UNTRUSTED], checks=failing("chain"), c2pa="Trusted", because=NAMES),
    Case("inside the excluded names", lambda: signed_by(constrained(excluded=directory("CredLink tests")))(), "valid", [UNTRUSTED], checks=failing("chain"), c2pa="Trusted", because=NAMES),
    Case("1 000 certificates of others", chained(lambda: many(1000)), "valid", [UNTRUSTED], checks=failing("chain"), encypher="Invalid", because=LENGTH),
    Case("20 authorities above each other", chained(lambda: long_chain(20)), "valid", [UNTRUSTED], checks=failing("chain"), encypher="Invalid", c2pa="Trusted", because=LENGTH),
]  # fmt: skip


def resigned(change, **how) -> Callable[[], bytes]:
    """An image signed by the leaf, whose certificate was changed and signed again by its issuer."""

    def image() -> bytes:
        certificate = authorities.rewritten(leaf(), intermediate(), change, **how)
        return signed_by(leaf(), chain=(certificate, intermediate().der))()

    return image


def changed(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """An image signed by the leaf, whose certificate was changed after it was signed."""
    return lambda: signed_by(leaf(), chain=(change(leaf().der), intermediate().der))()


def long_lengths(certificate: bytes) -> bytes:
    return der.long_element(der.SEQUENCE, *der.inside(certificate))


def other_signature(certificate: bytes) -> bytes:
    return certificate[:-1] + bytes([certificate[-1] ^ 1])


def enormous_length(certificate: bytes) -> bytes:
    return b"\x30\x84\xff\xff\xff\xff" + certificate[4:]


@functools.cache
def rsa_root() -> Holder:
    return authorities.root("RSA root", key="rsa-2048")


def by_sha1() -> bytes:
    """An image whose signer's certificate was signed with SHA-1."""
    signer = rsa_root().leaf(name="SHA-1 leaf")
    fields = lambda all_fields: [all_fields[0], all_fields[1], authorities.SHA1_RSA, *all_fields[3:]]
    certificate = authorities.rewritten(signer, rsa_root(), fields, authorities.SHA1_RSA, authorities.sha1_rsa(rsa_root().key))  # fmt: skip
    return signed_by(signer, chain=(certificate,))()


FORMS = [
    Case("version 1", resigned(authorities.version_1), "invalid", [INVALID]),
    Case("bytes behind the certificate", changed(lambda certificate: certificate + b"\x05\x00"), "invalid", [INVALID], c2pa="Trusted", because=DER),
    Case("lengths in a long form", changed(long_lengths), "invalid", [INVALID], c2pa="Trusted", because=DER),
    Case("an enormous length", changed(enormous_length), "invalid", [INVALID]),
    Case("another issuer's signature", changed(other_signature), "valid", [UNTRUSTED], checks=failing("chain", "signature")),
    Case("no authority key identifier", issued(issuer_identifier="none"), "invalid", [INVALID]),
    Case("another authority key identifier", issued(issuer_identifier="wrong"), "valid", [UNTRUSTED], c2pa="Trusted", encypher="Trusted", because="it does not compare key identifiers; they name the key of the issuer (14.5; RFC 5280, 4.2.1.1)"),
    Case("RSA with 1 024 bits", lambda: signed_by(intermediate().leaf(name="Weak", key="rsa-1024"), "ps256")(), "invalid", [INVALID], checks={"signature": "failed"}),
    Case("a curve that is not known", lambda: signed_by(intermediate().leaf(name="Koblitz", key="secp256k1"))(), "invalid", [INVALID, "claimSignature.mismatch"]),
    Case("signed with SHA-1", by_sha1, "invalid", [INVALID, UNTRUSTED], anchors=lambda: rsa_root().pem),
    Case("an unknown critical extension", issued(further=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), True),)), "invalid", [INVALID]),
    Case("an unknown extension", issued(further=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), False),)), "trusted", checks=FINE),
]  # fmt: skip


def moment(days: float) -> str:
    """A time so many days from now."""
    return (NOW + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def expired() -> Holder:
    return intermediate().leaf(name="Expired", not_before=NOW - 3 * YEAR, not_after=NOW - YEAR)


TIMES = [
    Case("expired", lambda: signed_by(expired())(), "invalid", [OUTSIDE], checks=failing("validity"), encypher="Valid", because=REJECTED),
    Case("not yet valid", lambda: signed_by(intermediate().leaf(name="Early", not_before=NOW + YEAR, not_after=NOW + 2 * YEAR))(), "invalid", [OUTSIDE], checks=failing("validity"), encypher="Valid", because=REJECTED),
    Case("expired, asked about its time", lambda: signed_by(expired())(), "trusted", at=moment(-700), checks=FINE),
    Case("valid, asked about a later time", lambda: signed_by(leaf())(), "invalid", [OUTSIDE], at=moment(400), checks=failing("validity"), encypher="Valid", because=REJECTED),
    Case("valid, asked about an earlier time", lambda: signed_by(leaf())(), "invalid", [OUTSIDE], at=moment(-400), checks=failing("validity"), encypher="Valid", because=REJECTED),
    Case("an intermediate that expired", lambda: signed_by(root().authority("Old intermediate", not_after=NOW - YEAR).leaf(name="Young leaf"))(), "invalid", [OUTSIDE], checks=failing("validity"), c2pa="Valid", encypher="Valid", because="an issuer that expired ends the path for it; for us the chain is valid at that time or it is not (15.8)"),
    Case("a validity that ends before it begins", lambda: signed_by(backwards())(), "invalid", [OUTSIDE, UNTRUSTED], checks={"validity": "failed"}, encypher="Valid", because=REJECTED),
]  # fmt: skip


def backwards() -> Holder:
    """A signer whose certificate ends before it begins."""
    holder = intermediate().leaf(name="Backwards")

    def swap(fields: list[bytes]) -> list[bytes]:
        begin, end = der.inside(fields[4])
        return [*fields[:4], der.element(der.SEQUENCE, end, begin), *fields[5:]]

    certificate = x509.load_der_x509_certificate(authorities.rewritten(holder, intermediate(), swap))
    return Holder(holder.key, certificate, holder.above, holder.root)


@table(PURPOSES + USAGES)
def test_purposes(case, tmp_path):
    judge(case, tmp_path)


@table(PATHS)
def test_paths(case, tmp_path):
    judge(case, tmp_path)


@table(FORMS)
def test_forms(case, tmp_path):
    judge(case, tmp_path)


@table(TIMES)
def test_times(case, tmp_path):
    judge(case, tmp_path)
