"""Writes COSE signatures over claims (RFC 9052; C2PA 2.4, section 13.2), with everything that a case may bend."""

from collections.abc import Callable
from dataclasses import dataclass

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from authorities import Holder

ALGORITHMS = {"es256": -7, "es384": -35, "es512": -36, "ps256": -37, "ps384": -38, "ps512": -39, "ed25519": -8}
"""The numbers of the algorithms (RFC 9053)."""

TAG = 18
CHAIN = 33
"""The header with the certificates, x5chain (RFC 9360)."""

DIGESTS = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


@dataclass(frozen=True)
class Signature:
    """How a claim is signed."""

    signer: Holder
    algorithm: str = "es256"
    algorithm_header: object = None
    """What the header names as the algorithm, where it is not the one that signs; `absent` leaves it out."""
    chain: tuple[bytes, ...] | None = None
    """The certificates, where they are not the signer's own."""
    chain_in: str = "protected"
    """The header with the certificates: `protected`, `unprotected`, `both` or `neither`."""
    stamp: Callable[[bytes], bytes] | None = None
    """Makes a time-stamp for what is to be stamped."""
    stamp_header: str = "sigTst2"
    """`sigTst2` stamps the signature, the legacy `sigTst` the claim (C2PA 2.4, section 10.3.2.5)."""
    staples: tuple[bytes, ...] = ()
    """OCSP responses."""
    protected: tuple[tuple[object, object], ...] = ()
    """Further fields of the header that is signed."""
    unprotected: tuple[tuple[object, object], ...] = ()
    """Further fields of the other header."""
    bend: Callable[[list], bytes] | None = None
    """Makes the bytes of the whole out of its four parts, where that is not to be done as it should be."""

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The chain that is written."""
        return self.signer.chain if self.chain is None else self.chain

    @property
    def size(self) -> int:
        """The length that the signature is padded to, so that it is known before there is one."""
        held = sum(len(one) + 8 for one in (*self.certificates, *self.certificates, *self.staples))
        further = len(cbor2.dumps([*map(list, self.protected), *map(list, self.unprotected)]))
        return 1500 + held + further + (14_000 if self.stamp else 0)


def signed(claim: bytes, how: Signature) -> bytes:
    """The COSE signature over a claim, padded to `how.size` where nothing of it is bent."""
    protected = cbor2.dumps(_protected(how))
    value = _sign(how, cbor2.dumps(["Signature1", protected, b"", claim]))
    unprotected = _unprotected(how, protected, claim, value)
    if how.bend is not None:
        return how.bend([protected, unprotected, None, value])
    empty = tagged([protected, unprotected | {"pad": b""}, None, value])
    # The length of the byte string takes more bytes when it is longer.
    for more in (1, 2, 4):
        whole = tagged([protected, unprotected | {"pad": bytes(how.size - len(empty) - more)}, None, value])
        if len(whole) == how.size:
            return whole
    raise AssertionError(f"no padding makes up {how.size} bytes")


def tagged(parts: list) -> bytes:
    """A COSE_Sign1 out of its four parts."""
    return cbor2.dumps(cbor2.CBORTag(TAG, parts))


def to_be_stamped(protected: bytes, payload: bytes) -> bytes:
    """What a time-stamp speaks of: a countersignature's structure (RFC 8152, section 4.4)."""
    return cbor2.dumps(["CounterSignature", protected, b"", payload])


def _protected(how: Signature) -> dict:
    header: dict = {1: ALGORITHMS[how.algorithm] if how.algorithm_header is None else how.algorithm_header}
    if how.algorithm_header == "absent":
        del header[1]
    if how.chain_in in ("protected", "both"):
        header[CHAIN] = _chain(how)
    return header | dict(how.protected)


def _unprotected(how: Signature, protected: bytes, claim: bytes, value: bytes) -> dict:
    header: dict = {}
    if how.chain_in in ("unprotected", "both"):
        header["x5chain"] = _chain(how)
    if how.stamp is not None:
        payload = cbor2.dumps(value) if how.stamp_header == "sigTst2" else claim
        header[how.stamp_header] = {"tstTokens": [{"val": how.stamp(to_be_stamped(protected, payload))}]}
    if how.staples:
        header["rVals"] = {"ocspVals": list(how.staples)}
    return header | dict(how.unprotected)


def _chain(how: Signature) -> bytes | list[bytes]:
    one = len(how.certificates) == 1
    return how.certificates[0] if one else list(how.certificates)


def _sign(how: Signature, data: bytes) -> bytes:
    private = how.signer.key
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(data)
    digest = DIGESTS.get(how.algorithm[-3:], hashes.SHA256)()
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    width = (private.curve.key_size + 7) // 8
    return b"".join(part.to_bytes(width, "big") for part in decode_dss_signature(private.sign(data, ec.ECDSA(digest))))
