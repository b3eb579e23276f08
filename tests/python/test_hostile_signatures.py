"""Hostile claim signatures: not there, of something else, by an unknown algorithm, and saying two things at once."""

from collections.abc import Callable

import cbor2

import authorities
from c2pa_writer import CBOR, SIGNATURE, Manifest, box, superbox
from cose import CHAIN, Signature, signed
from hostile import Case, judge, leaf, picture, signed_by, table

UNSUPPORTED, MISMATCH, MISSING = ["algorithm.unsupported"], ["claimSignature.mismatch"], ["claimSignature.missing"]


def manifest(**how) -> Manifest:
    """A manifest with nothing wrong but what `how` says."""
    return Manifest(Signature(leaf()), **how)


def held(signature: bytes, kind: str = "png") -> Callable[[], bytes]:
    """An image with these bytes for a signature."""
    return lambda: picture(manifest(bend_signature=lambda _: signature), kind=kind)


def boxed(change: Callable[[list[bytes]], list[bytes]], kind: str = "png") -> Callable[[], bytes]:
    """An image whose manifest has other boxes."""
    return lambda: picture(manifest(bend_boxes=change), kind=kind)


def flipped(signature: bytes) -> bytes:
    """The signature with the last bit of its value changed."""
    return signature[:-1] + bytes([signature[-1] ^ 1])


def headed(algorithm: object) -> Callable[[], bytes]:
    """An image whose signature names this algorithm."""
    return signed_by(leaf(), algorithm_header=algorithm)


def parts(bend: Callable[[list], object]) -> Callable[[], bytes]:
    """An image with another structure for a signature."""
    return signed_by(leaf(), bend=lambda four: cbor2.dumps(bend(four)))


ABSENT = [
    *(Case(f"no signature, {kind}", boxed(lambda boxes: boxes[:-1], kind), "invalid", MISSING) for kind in ("jpeg", "png", "webp")),
    Case("an empty signature box", boxed(lambda boxes: [*boxes[:-1], superbox(SIGNATURE, "c2pa.signature")]), "invalid", MISSING),
    Case("the signature is elsewhere", lambda: picture(manifest(bend_claim=lambda claim: claim | {"signature": "self#jumbf=/c2pa/urn:c2pa:0/c2pa.signature"})), "invalid", MISSING),
    Case("the signature is another box", lambda: picture(manifest(bend_claim=lambda claim: claim | {"signature": "self#jumbf=c2pa.assertions"})), "invalid", MISSING),
    Case("the signature is on the network", lambda: picture(manifest(bend_claim=lambda claim: claim | {"signature": "https://127.0.0.1:1/c2pa.signature"})), "invalid", MISSING, c2pa="Trusted", because="it looks at the end of the address alone; the signature stands in the same manifest (15.7)"),
]  # fmt: skip

STRUCTURES = [
    *(Case(f"another signature value, {kind}", lambda kind=kind: picture(manifest(bend_signature=flipped), kind=kind), "invalid", MISMATCH) for kind in ("jpeg", "png", "webp")),
    Case("a signature of no bytes", held(b""), "invalid", MISMATCH),
    Case("a signature of noise", held(bytes(range(256))), "invalid", MISMATCH),
    Case("a signature that is text", held(cbor2.dumps("signed")), "invalid", MISMATCH),
    Case("a signature 1 000 arrays deep", held(b"\x81" * 1000 + b"\x00"), "invalid", MISMATCH),
    Case("a signature 1 000 000 tags deep", held(b"\xd2" * 1_000_000 + b"\x00"), "invalid", MISMATCH),
    Case("a structure of three parts", parts(lambda four: cbor2.CBORTag(18, four[:3])), "invalid", MISMATCH),
    Case("a structure of another kind", parts(lambda four: cbor2.CBORTag(98, four)), "invalid", MISMATCH),
    Case("a signature value of no bytes", parts(lambda four: cbor2.CBORTag(18, [*four[:3], b""])), "invalid", MISMATCH),
    Case("a signature value of 1 MB", parts(lambda four: cbor2.CBORTag(18, [*four[:3], bytes(1_000_000)])), "invalid", MISMATCH),
    Case("by another key", lambda: picture(Manifest(Signature(authorities.root("Stranger"), chain=leaf().chain))), "invalid", MISMATCH),
]  # fmt: skip

ALGORITHMS = [
    Case("algorithm: RS256", headed(-257), "invalid", UNSUPPORTED),
    Case("algorithm: RS1", headed(-65535), "invalid", UNSUPPORTED),
    Case("algorithm: ES256K", headed(-47), "invalid", UNSUPPORTED),
    Case("algorithm: HMAC", headed(5), "invalid", UNSUPPORTED),
    Case("algorithm: none at all", headed("absent"), "invalid", UNSUPPORTED),
    Case("algorithm: text", headed("ES256"), "invalid", UNSUPPORTED),
    Case("algorithm: 0", headed(0), "invalid", UNSUPPORTED),
    Case("algorithm: of another key", headed(-37), "invalid", MISMATCH),
]  # fmt: skip

INVALID = ["signingCredential.invalid"]

CHAINS = [
    Case("no certificates", signed_by(leaf(), chain_in="neither"), "invalid", INVALID),
    Case("certificates in both headers", signed_by(leaf(), chain_in="both"), "invalid", INVALID, encypher="Trusted", because="it takes the protected one; there is one chain or the signer is not clear (14.5)"),
    Case("certificates in the other header", signed_by(leaf(), chain_in="unprotected"), "trusted"),
    Case("an empty list of certificates", signed_by(leaf(), chain=()), "invalid", INVALID),
    Case("a certificate of no bytes", signed_by(leaf(), chain=(b"",)), "invalid", INVALID),
    Case("a certificate of noise", signed_by(leaf(), chain=(bytes(range(256)),)), "invalid", INVALID),
]  # fmt: skip


def stranger() -> authorities.Holder:
    """Somebody whom nobody trusts."""
    return authorities.root("Nobody").leaf(name="Impostor")


def two_signatures(first: Signature, second: Signature) -> Callable[[], bytes]:
    """An image whose manifest has two signatures over its claim."""

    def make() -> bytes:
        def change(boxes: list[bytes]) -> list[bytes]:
            # The content of the claim box: behind its header, its description and the header of the CBOR in it.
            claim = boxes[1][8 + int.from_bytes(boxes[1][8:12], "big") + 8 :]
            own = [superbox(SIGNATURE, "c2pa.signature", box(CBOR, signed(claim, how))) for how in (first, second)]
            return [*boxes[:-1], *own]

        return picture(manifest(bend_boxes=change))

    return make


def forged(protected: Callable[[], dict], unprotected: Callable[[], dict] = dict) -> Callable[[], bytes]:
    """An image signed by the stranger, whose headers say this beside the algorithm."""
    return lambda: picture(Manifest(Signature(stranger(), chain_in="neither", protected=tuple(protected().items()), unprotected=tuple(unprotected().items()))))


FIRST = "it takes the first chain that it finds; there is one chain or the signer is not clear (14.5)"

FORGERIES = [
    Case("two signatures, the trusted one first", two_signatures(Signature(leaf()), Signature(stranger())), "invalid", ["claim.malformed"]),
    Case("two signatures, the trusted one last", two_signatures(Signature(stranger()), Signature(leaf())), "invalid", ["claim.malformed", "signingCredential.untrusted"]),
    Case("a trusted chain under the number, the stranger's under the name", forged(lambda: {"x5chain": list(stranger().chain), CHAIN: list(leaf().chain)}), "invalid", INVALID, c2pa="Valid", because=FIRST),
    Case("the stranger's chain under the number, a trusted one under the name", forged(lambda: {CHAIN: list(stranger().chain), "x5chain": list(leaf().chain)}), "invalid", INVALID, c2pa="Valid", encypher="Valid", because=FIRST),
    Case("a trusted chain beside the signature, under the number", forged(lambda: {"x5chain": list(stranger().chain)}, lambda: {CHAIN: list(leaf().chain)}), "invalid", INVALID, c2pa="Valid", because=FIRST),
    Case("a trusted chain beside the signature, under the name", forged(lambda: {CHAIN: list(stranger().chain)}, lambda: {"x5chain": list(leaf().chain)}), "invalid", INVALID, encypher="Valid", because=FIRST),
    Case("a trusted certificate after the stranger's", signed_by(stranger(), chain=(*stranger().chain, *leaf().chain)), "valid", ["signingCredential.untrusted"]),
    Case("a trusted certificate before the stranger's", signed_by(stranger(), chain=(*leaf().chain, *stranger().chain)), "invalid", MISMATCH),
]  # fmt: skip


@table(ABSENT + STRUCTURES)
def test_structures(case, tmp_path):
    judge(case, tmp_path)


@table(ALGORITHMS + CHAINS)
def test_headers(case, tmp_path):
    judge(case, tmp_path)


@table(FORGERIES)
def test_nobody_signs_for_another(case, tmp_path):
    judge(case, tmp_path)
