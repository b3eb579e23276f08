"""Writes the history of an image: manifests that refer to earlier ones (C2PA 2.4, sections 10.3 and 18.16)."""

from dataclasses import dataclass, replace

from c2pa_writer import Assertion, Manifest, assertion, reference
from embedding import Hole

NOWHERE = Hole(0, 0, bytes(32))
"""The place of a manifest that is only history: its hard binding is to an earlier image."""


@dataclass(frozen=True)
class Past:
    """A manifest as it stands in a store."""

    label: str
    box: bytes

    @property
    def signature(self) -> bytes:
        """The superbox of its signature, which stands last."""
        return self.box[self.box.rindex(b"jumb", 0, self.box.rindex(b"c2pa.signature")) - 4 :]


def past(manifest: Manifest, number: int = 1, hole: Hole = NOWHERE) -> Past:
    """The manifest as history, with a label of its own; bound to an image where `hole` is of it."""
    label = f"urn:c2pa:00000000-0000-4000-8000-{number:012d}"
    return Past(label, replace(manifest, label=label).box(hole))


def ingredient(of: Past, relationship: str = "parentOf", name: str = "c2pa.ingredient.v3", **says: object) -> Assertion:
    """An ingredient with a manifest. `says` takes the place of fields; a field that is None is left out."""
    results = {"activeManifest": {"success": [], "informational": [], "failure": []}}
    data = {
        "relationship": relationship,
        "dc:title": "Before",
        "dc:format": "image/png",
        "activeManifest": absolute(of.label, of.box),
        "claimSignature": absolute(f"{of.label}/c2pa.signature", of.signature),
        "validationResults": results,
    } | says
    return assertion(name, {key: value for key, value in data.items() if value is not None})


def absolute(path: str, content: bytes) -> dict:
    """A hashed URI into another manifest."""
    return reference(f"/c2pa/{path}", content)


def opened(*ingredients: Assertion) -> Assertion:
    """That the image was opened from these ingredients."""
    named = [reference(f"c2pa.assertions/{one.label}", one.box) for one in ingredients]
    return assertion("c2pa.actions.v2", {"actions": [{"action": "c2pa.opened", "parameters": {"ingredients": named}}]})


def known(*codes: str, label: str) -> dict:
    """Validation results that say that these failures were there before."""
    failures = [{"code": code, "url": f"self#jumbf=/c2pa/{label}/c2pa.signature"} for code in codes]
    return {"activeManifest": {"success": [], "informational": [], "failure": failures}}
