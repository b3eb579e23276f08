"""Writes C2PA manifest stores, right ones and wrong ones (C2PA 2.4, sections 8, 10 and 11).

Written for the tests from the specification, so that the product is judged by files that it did not make. A case bends
one part and leaves the rest right: the hashes and the signature fit whatever the case wrote, unless it says otherwise.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cbor2

from cose import Signature, signed
from embedding import Hole, with_store

DIGITAL_CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"

STORE, MANIFEST, UPDATE_MANIFEST, COMPRESSED_MANIFEST = b"c2pa", b"c2ma", b"c2um", b"c2cm"
ASSERTIONS, CLAIM, SIGNATURE, CBOR, JSON = b"c2as", b"c2cl", b"c2cs", b"cbor", b"json"
"""The kinds of superboxes: the first bytes of their UUID."""

LABEL = "urn:c2pa:5b0e6cf7-8a3e-4a55-9c0c-0c2f3b7f8d11"
"""The label of the active manifest."""


def box(kind: bytes, *contents: bytes) -> bytes:
    """One box (ISO 19566-5)."""
    content = b"".join(contents)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def superbox(kind: bytes, label: str, *contents: bytes) -> bytes:
    """One superbox with its description."""
    identifier = kind + bytes.fromhex("00110010800000aa00389b71")
    return box(b"jumb", box(b"jumd", identifier, b"\x03", label.encode(), b"\0"), *contents)


@dataclass(frozen=True)
class Assertion:
    """One assertion as it stands in the store."""

    label: str
    content: bytes
    kind: bytes = CBOR

    @property
    def box(self) -> bytes:
        """The superbox."""
        return superbox(self.kind, self.label, box(self.kind, self.content))


def assertion(label: str, data: object) -> Assertion:
    """An assertion in CBOR."""
    return Assertion(label, cbor2.dumps(data))


def json_assertion(label: str, data: object) -> Assertion:
    """An assertion in JSON."""
    return Assertion(label, json.dumps(data).encode(), JSON)


def created_action(**further: object) -> Assertion:
    """That the image was made: what a manifest without a parent begins with."""
    action = {"action": "c2pa.created", "digitalSourceType": DIGITAL_CAPTURE} | further
    return assertion("c2pa.actions.v2", {"actions": [action]})


def data_hash(hole: Hole, **says: object) -> Assertion:
    """The hard binding. `says` takes the place of fields; a field that is None is left out."""
    data = {
        "exclusions": [{"start": hole.start, "length": hole.length}],
        "name": "jumbf manifest",
        "alg": "sha256",
        "hash": hole.digest or bytes(32),
        # The numbers are as long as they are; what follows is not to move with them.
        "pad": bytes(16 - len(cbor2.dumps(hole.start)) - len(cbor2.dumps(hole.length))),
    } | says
    return assertion("c2pa.hash.data", {name: value for name, value in data.items() if value is not None})


def _bind(hole: Hole) -> Sequence[Assertion]:
    return [data_hash(hole)]


def _nothing(value):
    return value


@dataclass(frozen=True)
class Manifest:
    """One manifest. The functions are where a case steps in; each gets what is right and gives what is written."""

    signature: Signature
    label: str = LABEL
    kind: bytes = MANIFEST
    claim_version: int = 2
    assertions: Sequence[Assertion] = field(default_factory=lambda: [created_action()])
    bind: Callable[[Hole], Sequence[Assertion]] = _bind
    """The hard bindings for a place in a file."""
    bend_claim: Callable[[dict], object] = _nothing
    encode_claim: Callable[[object], bytes] = cbor2.dumps
    bend_signature: Callable[[bytes], bytes] = _nothing
    bend_assertions: Callable[[list[bytes]], list[bytes]] = _nothing
    """The boxes in the assertion store, after the claim was made of them."""
    bend_boxes: Callable[[list[bytes]], list[bytes]] = _nothing
    """The boxes of the manifest: assertion store, claim, signature."""

    def box(self, hole: Hole) -> bytes:
        """The superbox, for a place in a file."""
        assertions = [*self.bind(hole), *self.assertions]
        claim = self.encode_claim(self.bend_claim(self._claim(assertions)))
        claim_label = "c2pa.claim" if self.claim_version == 1 else "c2pa.claim.v2"
        boxes = [
            superbox(ASSERTIONS, "c2pa.assertions", *self.bend_assertions([one.box for one in assertions])),
            superbox(CLAIM, claim_label, box(CBOR, claim)),
            superbox(SIGNATURE, "c2pa.signature", box(CBOR, self._signature(claim, hole))),
        ]
        return superbox(self.kind, self.label, *self.bend_boxes(boxes))

    def _signature(self, claim: bytes, hole: Hole) -> bytes:
        if hole.digest is None and self.signature.bend is None:
            # Only the length is asked for.
            return self.bend_signature(bytes(self.signature.size))
        return self.bend_signature(signed(claim, self.signature))

    def _claim(self, assertions: Sequence[Assertion]) -> dict:
        references = [reference(f"c2pa.assertions/{one.label}", one.box) for one in assertions]
        claim = {
            "instanceID": "xmp:iid:9e0f6a5c-1b7d-4c42-9d55-3f7c2a61e0aa",
            "signature": "self#jumbf=c2pa.signature",
            "alg": "sha256",
        }
        generator = {"name": "CredLink tests", "version": "1"}
        if self.claim_version == 1:
            first = {"claim_generator": "CredLink_tests/1", "claim_generator_info": [generator]}
            return first | claim | {"dc:format": "image/jpeg", "assertions": references}
        return claim | {"claim_generator_info": generator, "created_assertions": references}


def reference(path: str, content: bytes) -> dict:
    """A hashed URI of a superbox: the hash covers all but the header of eight bytes (C2PA 2.4, section 8.4.2.3)."""
    return {"url": f"self#jumbf={path}", "hash": hashlib.sha256(content[8:]).digest()}


def store(*manifests: bytes) -> bytes:
    """A store of manifests; the last is the active one."""
    return superbox(STORE, "c2pa", *manifests)


def signed_image(image: bytes, manifest: Manifest, *earlier: bytes) -> bytes:
    """The image with a store of `manifest`, and of `earlier` manifests before it."""
    return with_store(image, lambda hole: store(*earlier, manifest.box(hole)))
