"""Certificates for every purpose: authorities of our own and what they issue, right and wrong.

Nothing here is trusted anywhere else. Keys are made anew in every process and never leave it, but for the files that
`openssl` reads.
"""

import base64
import functools
import hashlib
import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

import der

C2PA_SIGNING = "1.3.6.1.4.1.62558.2.1"
EMAIL_PROTECTION = ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string
DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH.dotted_string
CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING.dotted_string
TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING.dotted_string
OCSP_SIGNING = ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string
ANY_PURPOSE = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE.dotted_string

NOW = datetime.now(UTC).replace(microsecond=0)
YEAR = timedelta(days=365)
DAY = timedelta(days=1)

_SERIALS = itertools.count(0x1000)

SIGNATURE = ("digital_signature",)
AUTHORITY = ("key_cert_sign", "crl_sign")
_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@functools.cache
def key(kind: str, name: str = ""):
    """The key of this name; the same one for as long as the process lives. `kind` is as in `p-256`, `rsa-2048`."""
    curves = {"p-256": ec.SECP256R1, "p-384": ec.SECP384R1, "p-521": ec.SECP521R1, "secp256k1": ec.SECP256K1}
    if kind in curves:
        return ec.generate_private_key(curves[kind]())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))


@dataclass(frozen=True)
class Profile:
    """What a certificate says. The default is right for signing claims (C2PA 2.4, section 14.5.1)."""

    name: str = "Leaf"
    key: str = "p-256"
    purposes: tuple[str, ...] | None = (C2PA_SIGNING,)
    usages: tuple[str, ...] | None = SIGNATURE
    authority: bool | None = False
    """Whether the basic constraints say that it is an authority; None leaves them out."""
    path_length: int | None = None
    issuer_identifier: str = "right"
    """The authority key identifier: `right`, `wrong` or `none`."""
    not_before: datetime = NOW - YEAR
    not_after: datetime = NOW + YEAR
    digest: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    further: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    """Further extensions, each with whether it is critical."""
    subject: str | None = None
    """The subject's common name, where it is not `name`, which also tells keys apart."""


CA = Profile("CA", purposes=None, usages=AUTHORITY, authority=True, not_before=NOW - 9 * YEAR, not_after=NOW + 9 * YEAR)
"""What the certificate of an authority says."""


@dataclass(frozen=True)
class Holder:
    """A certificate with its private key, and those above it."""

    key: object
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()
    """The certificates up to the root, without it."""
    root: x509.Certificate | None = None

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        """The certificate."""
        return pem(self.der)

    @property
    def key_pem(self) -> str:
        """The private key, for other programs."""
        kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, kind, plain).decode()

    @property
    def chain(self) -> tuple[bytes, ...]:
        """This certificate and those above it, without the root."""
        return (self.der, *(one.public_bytes(serialization.Encoding.DER) for one in self.above))

    def issue(self, profile: Profile = Profile()) -> "Holder":
        """A certificate that this one signs."""
        subject_key = key(profile.key, profile.name)
        certificate = _certificate(profile, subject_key.public_key(), self.certificate, self.key)
        above = () if self.root is None else (self.certificate, *self.above)
        return Holder(subject_key, certificate, above, self.root or self.certificate)

    def authority(self, name: str, **says) -> "Holder":
        """An authority under this one."""
        return self.issue(replace(CA, name=name, **says))

    def leaf(self, **says) -> "Holder":
        """A certificate under this one that may sign claims, or not, as `says` has it."""
        return self.issue(replace(Profile(), **says))


def root(name: str, **says) -> Holder:
    """An authority that stands at the top."""
    return self_signed(replace(CA, name=name, **says))


def self_signed(profile: Profile) -> Holder:
    """A certificate that vouches for itself."""
    own_key = key(profile.key, profile.name)
    return Holder(own_key, _certificate(profile, own_key.public_key(), None, own_key))


def pem(certificate: bytes) -> str:
    """A certificate in PEM; from its bytes, so that it may be one that no library reads."""
    text = base64.b64encode(certificate).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def rewritten(holder: Holder, issuer: Holder, change, algorithm: bytes | None = None, sign=None) -> bytes:
    """The certificate with its fields changed and signed again by its issuer.

    `change` gets the fields as DER elements. `algorithm` and `sign` take the place of ECDSA with SHA-256.
    """
    fields, own_algorithm, _ = der.inside(holder.der)
    body = der.element(der.SEQUENCE, *change(der.inside(fields)))
    signature = (sign or (lambda data: issuer.key.sign(data, ec.ECDSA(hashes.SHA256()))))(body)
    return der.element(
        der.SEQUENCE, body, algorithm or own_algorithm, der.element(der.BIT_STRING, b"\0" + signature)
    )


def version_1(fields: list[bytes]) -> list[bytes]:
    """The fields of a certificate of version 1: no version, no extensions."""
    return [one for one in fields if one[0] not in (0xA0, 0xA3)]


SHA1_RSA = der.element(der.SEQUENCE, der.object_identifier("1.2.840.113549.1.1.5"), b"\x05\0")


def sha1_rsa(signing_key: rsa.RSAPrivateKey):
    """A signing function with SHA-1, which libraries no longer offer for certificates."""
    return lambda data: signing_key.sign(data, padding.PKCS1v15(), hashes.SHA1())


def _certificate(profile: Profile, public, issuer: x509.Certificate | None, issuer_key) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "CredLink tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, profile.subject or profile.name),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(public)
        .serial_number(next(_SERIALS))
        .not_valid_before(profile.not_before)
        .not_valid_after(profile.not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
    )
    for extension, critical in (*_extensions(profile, issuer_key.public_key()), *profile.further):
        builder = builder.add_extension(extension, critical)
    digest = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else profile.digest
    return builder.sign(issuer_key, digest)


def _extensions(profile: Profile, issuer_key):
    if profile.issuer_identifier == "right":
        yield x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False
    elif profile.issuer_identifier == "wrong":
        yield x509.AuthorityKeyIdentifier(hashlib.sha1(b"somebody else").digest(), None, None), False
    if profile.authority is not None:
        yield x509.BasicConstraints(profile.authority, profile.path_length if profile.authority else None), True
    if profile.usages is not None:
        yield x509.KeyUsage(**{name: name in profile.usages for name in _KEY_USAGES}), True
    if profile.purposes is not None:
        critical = profile.purposes == (TIME_STAMPING,)
        yield x509.ExtendedKeyUsage([ObjectIdentifier(one) for one in profile.purposes]), critical
