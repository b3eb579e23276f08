"""OCSP responses (RFC 6960) of authorities of our own, right ones and wrong ones."""

import subprocess
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

import der
from authorities import NOW, Holder

HOUR = timedelta(hours=1)


def response(
    about: Holder,
    issuer: Holder,
    responder: Holder | None = None,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    revoked: datetime | None = None,
    reason: x509.ReasonFlags | None = None,
    this_update: datetime = NOW - HOUR,
    next_update: datetime | None = NOW + 24 * HOUR,
) -> bytes:
    """What `responder`, else the issuer itself, says about a certificate."""
    signer = responder or issuer
    if revoked is not None:
        status = ocsp.OCSPCertStatus.REVOKED
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=about.certificate,
        issuer=issuer.certificate,
        algorithm=hashes.SHA1(),
        cert_status=status,
        this_update=this_update,
        next_update=next_update,
        revocation_time=revoked,
        revocation_reason=reason,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    if responder is not None:
        builder = builder.certificates([responder.certificate])
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


def by_openssl(about: Holder, issuer: Holder, responder: Holder, revoked: datetime | None = None) -> bytes:
    """The answer of `openssl ocsp` with an index of one certificate."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = "V" if revoked is None else "R"
        until = about.certificate.not_valid_after_utc.strftime("%y%m%d%H%M%SZ")
        since = "" if revoked is None else revoked.strftime("%y%m%d%H%M%SZ")
        serial = f"{about.certificate.serial_number:X}"
        serial = serial if len(serial) % 2 == 0 else f"0{serial}"
        (folder / "index.txt").write_text(f"{state}\t{until}\t{since}\t{serial}\tunknown\t/CN=leaf\n")
        for file, text in {
            "issuer.pem": issuer.pem,
            "leaf.pem": about.pem,
            "responder.pem": responder.pem,
            "key.pem": responder.key_pem,
        }.items():
            (folder / file).write_text(text)
        _openssl(folder, "-issuer", "issuer.pem", "-cert", "leaf.pem", "-no_nonce", "-reqout", "request")
        _openssl(folder, "-index", "index.txt", "-CA", "issuer.pem", "-rsigner", "responder.pem", "-rkey", "key.pem",
                 "-reqin", "request", "-respout", "response", "-ndays", "1")  # fmt: skip
        return (folder / "response").read_bytes()


def with_bad_signature(answer: bytes) -> bytes:
    """The response with the last byte of its signature changed."""
    value = ocsp.load_der_ocsp_response(answer).signature
    at = answer.index(value) + len(value) - 1
    return answer[:at] + bytes([answer[at] ^ 1]) + answer[at + 1 :]


def refusal() -> bytes:
    """The response of a responder that says `tryLater`."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER)


def enormous(answer: bytes, length: int) -> bytes:
    """A response with this many bytes behind what it says, inside its outermost element."""
    ((tag, content, _),) = der.elements(answer)
    return der.element(tag, content, der.element(der.OCTET_STRING, bytes(length)))


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", "ocsp", *arguments], cwd=folder, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr.decode()
