"""Time-stamps (RFC 3161) of authorities of our own, right ones and wrong ones.

`openssl ts` answers as a time-stamp authority does. It refuses to make what is wrong, so that is made here.
"""

import hashlib
import subprocess
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

import der
from authorities import NOW, Holder

TST_INFO = "1.2.840.113549.1.9.16.1.4"
SHA256 = der.element(der.SEQUENCE, der.object_identifier("2.16.840.1.101.3.4.2.1"))

_CONFIGURATION = """
[ tsa ]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""

Stamp = Callable[[bytes], bytes]
"""Makes what stands in a signature for what is to be stamped."""


def answered(tsa: Holder) -> Callable[[bytes], bytes]:
    """The answers of `openssl ts`: whole responses, made now."""

    def response(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _write_holder(folder, tsa)
            (folder / "tsa.cnf").write_text(_CONFIGURATION)
            (folder / "serial").write_text("01\n")
            (folder / "data").write_bytes(data)
            _openssl(folder, "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query")
            keys = ["-inkey", "key.pem", "-signer", "signer.pem", "-chain", "chain.pem"]
            _openssl(folder, "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query", *keys,
                     "-out", "response")  # fmt: skip
            return (folder / "response").read_bytes()

    return response


def token_of(response: bytes) -> bytes:
    """The token in a response."""
    return der.inside(response)[1]


def response_with(token: bytes) -> bytes:
    """A response that grants a token."""
    return der.element(der.SEQUENCE, der.element(der.SEQUENCE, der.integer(0)), token)


def by_openssl(tsa: Holder) -> Stamp:
    """A stamp as it stands in `sigTst2`: the token alone."""
    return lambda data: token_of(answered(tsa)(data))


def made(tsa: Holder, when: datetime = NOW, about: bytes | None = None) -> Stamp:
    """A stamp with a time of its own, by whatever holds a key, about `about` when it is not to be about the signature."""

    def token(data: bytes) -> bytes:
        stamped = hashlib.sha256(data if about is None else about).digest()
        content = der.element(
            der.SEQUENCE,
            der.integer(1),
            der.object_identifier("1.2.3.4.1"),
            der.element(der.SEQUENCE, SHA256, der.element(der.OCTET_STRING, stamped)),
            der.integer(7),
            der.element(der.GENERALIZED_TIME, when.strftime("%Y%m%d%H%M%SZ").encode()),
        )
        return _signed_data(tsa, content)

    return token


def _signed_data(tsa: Holder, content: bytes) -> bytes:
    """A CMS structure over the content (RFC 5652, section 5), with the attributes that RFC 3161 asks for and no other.

    `openssl cms` adds the time at which it is run.
    """
    attributes = sorted(
        der.element(der.SEQUENCE, der.object_identifier(name), der.element(der.SET, value))
        for name, value in {
            "1.2.840.113549.1.9.3": der.object_identifier(TST_INFO),
            "1.2.840.113549.1.9.4": der.element(der.OCTET_STRING, hashlib.sha256(content).digest()),
            "1.2.840.113549.1.9.16.2.47": _nested(der.element(der.OCTET_STRING, hashlib.sha256(tsa.der).digest())),
        }.items()
    )
    signature = tsa.key.sign(der.element(der.SET, *attributes), ec.ECDSA(hashes.SHA256()))
    fields = der.inside(der.inside(tsa.der)[0])
    signer = der.element(
        der.SEQUENCE,
        der.integer(1),
        # Serial number and issuer, behind the version.
        der.element(der.SEQUENCE, fields[3], fields[1]),
        SHA256,
        der.element(der.FIRST, *attributes),
        der.element(der.SEQUENCE, der.object_identifier("1.2.840.10045.4.3.2")),
        der.element(der.OCTET_STRING, signature),
    )
    certificates = [tsa.der, *(one.public_bytes(Encoding.DER) for one in (*tsa.above, tsa.root) if one)]
    signed = der.element(
        der.SEQUENCE,
        der.integer(3),
        der.element(der.SET, SHA256),
        der.element(der.SEQUENCE, der.object_identifier(TST_INFO), der.element(der.FIRST, der.element(der.OCTET_STRING, content))),  # fmt: skip
        der.element(der.FIRST, *sorted(certificates)),
        der.element(der.SET, signer),
    )
    return der.element(der.SEQUENCE, der.object_identifier("1.2.840.113549.1.7.2"), der.element(der.FIRST, signed))


def _nested(value: bytes) -> bytes:
    """The attribute that names the signer's certificate: a list of lists of one (RFC 5035, section 3)."""
    return der.element(der.SEQUENCE, der.element(der.SEQUENCE, der.element(der.SEQUENCE, value)))


def _write_holder(folder: Path, holder: Holder) -> None:
    (folder / "key.pem").write_text(holder.key_pem)
    (folder / "signer.pem").write_text(holder.pem)
    above = [*holder.above, *([holder.root] if holder.root else [])]
    (folder / "chain.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in above))


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
