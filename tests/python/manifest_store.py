"""A reader of C2PA manifest stores (JUMBF boxes with CBOR and JSON in them), for looking at single fields."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import cbor2
from cryptography import x509

import containers


@dataclass
class Box:
    """A JUMBF superbox."""

    label: str
    contents: list[tuple[str, bytes]] = field(default_factory=list)
    """Content boxes: type and bytes."""
    children: list["Box"] = field(default_factory=list)
    """Superboxes inside."""

    def child(self, label: str) -> "Box":
        """The superbox with this label."""
        found = [box for box in self.children if box.label == label]
        assert len(found) == 1, f"{label}: {len(found)} among {[box.label for box in self.children]}"
        return found[0]

    def value(self) -> object:
        """What the CBOR or JSON content says."""
        for kind, content in self.contents:
            if kind == "cbor":
                return cbor2.loads(content)
            if kind == "json":
                return json.loads(content)
        raise AssertionError(f"{self.label} holds {[kind for kind, _ in self.contents]}")


@dataclass
class Manifest:
    """One manifest of a store."""

    label: str
    claim_label: str
    claim: dict
    assertions: dict[str, object]
    """By label; what is neither CBOR nor JSON is left out."""
    protected: dict
    """The protected header of the COSE signature."""
    unprotected: dict
    """The other header."""

    @property
    def created(self) -> list[str]:
        """Labels of the assertions that the signer vouches for, in order."""
        return _labels(self.claim["created_assertions"])

    @property
    def gathered(self) -> list[str]:
        """Labels of the assertions that somebody else makes, in order."""
        return _labels(self.claim.get("gathered_assertions", []))

    @property
    def chain(self) -> list[x509.Certificate]:
        """The certificates of the protected header, leaf first."""
        chain = self.protected[33]
        return [x509.load_der_x509_certificate(der) for der in ([chain] if isinstance(chain, bytes) else chain)]


def active_manifest(image: bytes) -> Manifest:
    """The active manifest of an image: the last one in its store."""
    return manifests(image)[-1]


def manifests(image: bytes) -> list[Manifest]:
    """All manifests in the order of the store."""
    store = containers.manifest_store(image)
    assert store is not None, "no manifest store"
    (kind, content), *more = _boxes(store)
    assert kind == "jumb" and not more
    return [_manifest(box) for box in _superbox(content).children]


def _manifest(box: Box) -> Manifest:
    (claim,) = [child for child in box.children if child.label.startswith("c2pa.claim")]
    signature = box.child("c2pa.signature").value()
    signature = signature.value if isinstance(signature, cbor2.CBORTag) else signature
    protected, unprotected, payload, _ = signature
    assert payload is None, "the claim is not detached"
    assertions = {
        child.label: child.value()
        for child in box.child("c2pa.assertions").children
        if child.contents[0][0] in ("cbor", "json")
    }
    return Manifest(box.label, claim.label, claim.value(), assertions, cbor2.loads(protected), unprotected)


def _labels(references: list[dict]) -> list[str]:
    return [reference["url"].rsplit("/", 1)[1] for reference in references]


def _superbox(content: bytes) -> Box:
    inner = list(_boxes(content))
    kind, description = inner[0]
    assert kind == "jumd"
    box = Box(description[17:].split(b"\0", 1)[0].decode())
    for kind, body in inner[1:]:
        if kind == "jumb":
            box.children.append(_superbox(body))
        else:
            box.contents.append((kind, body))
    return box


def _boxes(data: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        assert length >= 8, "a box with a long or open length"
        yield kind.decode("latin-1"), data[at + 8 : at + length]
        at += length
