"""Hostile histories: ingredients that are not there, that are others, that loop, and update manifests that are none."""

import functools
import hashlib
from collections.abc import Callable

import authorities
from c2pa_writer import UPDATE_MANIFEST, Assertion, Manifest, assertion, created_action, reference
from cose import Signature
from embedding import Hole
from hostile import Case, judge, leaf, picture, small, table
from ingredients import Past, ingredient, known, opened, past


def manifest(*assertions: Assertion, **how) -> Manifest:
    """A manifest with these assertions."""
    return Manifest(Signature(leaf()), assertions=assertions or [created_action()], **how)


@functools.cache
def first() -> Past:
    """A manifest with nothing wrong."""
    return past(manifest())


def flipped(signature: bytes) -> bytes:
    return signature[:-1] + bytes([signature[-1] ^ 1])


@functools.cache
def second() -> Past:
    """Another manifest with nothing wrong."""
    return past(manifest(), 2)


@functools.cache
def forged() -> Past:
    """A manifest whose signature is another."""
    return past(manifest(bend_signature=flipped))


@functools.cache
def stranger() -> Past:
    """A manifest of somebody whom nobody trusts."""
    return past(Manifest(Signature(authorities.root("Nobody").leaf(name="Nobody's leaf"))))


def after(before: Callable[[], Past], keep: bool = True, **says) -> Callable[[], bytes]:
    """An image that was opened from an earlier one; `keep` leaves its manifest in the store."""

    def make() -> bytes:
        one = ingredient(before(), **says)
        return picture(manifest(one, opened(one)), *([before().box] if keep else []))

    return make


def zeros(of: Callable[[], Past]) -> Callable[[], bytes]:
    """An image whose ingredient has another hash."""

    def make() -> bytes:
        before = of()
        wrong = {"url": f"self#jumbf=/c2pa/{before.label}", "hash": bytes(32)}
        one = ingredient(before, activeManifest=wrong)
        return picture(manifest(one, opened(one)), before.box)

    return make


def known_fault() -> bytes:
    """An image opened from one whose fault was written down then."""
    one = ingredient(forged(), validationResults=known("claimSignature.mismatch", label=forged().label))
    return picture(manifest(one, opened(one)), forged().box)


def two_parents() -> bytes:
    both = ingredient(first()), ingredient(second(), name="c2pa.ingredient.v3__1")
    return picture(manifest(*both, opened(both[0])), first().box, second().box)


def into_itself() -> bytes:
    """An image whose manifest is its own parent."""
    own = Past(Manifest(Signature(leaf())).label, first().box)
    one = ingredient(own)
    return picture(manifest(one, opened(one)))


def in_a_loop() -> bytes:
    """An image with two manifests in its history that are each other's parents."""
    back = ingredient(Past(second().label, first().box))
    one = past(manifest(back, opened(back)), 1)
    forth = ingredient(one)
    two = past(manifest(forth, opened(forth)), 2)
    last = ingredient(two)
    return picture(manifest(last, opened(last)), one.box, two.box)


def line(length: int) -> bytes:
    """An image with so many manifests before it."""
    before = [first()]
    for number in range(2, length + 1):
        one = ingredient(before[-1])
        before.append(past(manifest(one, opened(one)), number))
    last = ingredient(before[-1])
    return picture(manifest(last, opened(last)), *[one.box for one in before])


def lattice(depth: int) -> bytes:
    """An image with two ingredients, each with the same two ingredients, and so on: 2^depth ways to the first."""
    levels = [[past(manifest(), 1), past(manifest(), 2)]]
    for level in range(1, depth):
        made = []
        for side in range(2):
            one = ingredient(levels[-1][0])
            other = ingredient(levels[-1][1], "componentOf", "c2pa.ingredient.v3__1")
            made.append(past(manifest(one, other, opened(one)), level * 2 + side + 1))
        levels.append(made)
    one = ingredient(levels[-1][0])
    other = ingredient(levels[-1][1], "componentOf", "c2pa.ingredient.v3__1")
    return picture(manifest(one, other, opened(one)), *[past.box for level in levels for past in level])


ACTIVE_ALONE = "it judges the active manifest and leaves the history to the reader; we count its faults (15.11)"

INGREDIENTS = [
    Case("opened from another", after(first), "trusted"),
    Case("its manifest is missing", after(first, keep=False), "invalid", ["ingredient.manifest.missing"], history=["ingredient.manifest.missing"]),
    Case("its manifest has another hash", zeros(first), "invalid", history=["ingredient.manifest.mismatch"]),
    Case("its signature is another", after(forged), "invalid", history=["claimSignature.mismatch"], encypher="Trusted", because=ACTIVE_ALONE),
    Case("its signature was another, and that was known", known_fault, "trusted"),
    Case("its signer is unknown", after(stranger), "valid", history=["signingCredential.untrusted"], encypher="Trusted", because=ACTIVE_ALONE),
    Case("without validation results", after(first, validationResults=None), "invalid", history=["assertion.ingredient.malformed"], encypher="Trusted", because=ACTIVE_ALONE),
    Case("without a relationship", lambda: related(None), "invalid", ["assertion.ingredient.malformed"]),
    Case("an unknown relationship", lambda: related("siblingOf"), "invalid", ["assertion.ingredient.malformed"]),
    Case("two parents", two_parents, "invalid", ["manifest.multipleParents"]),
    Case("its own parent", into_itself, "invalid", ["assertion.ingredient.malformed"]),
    Case("parents in a loop", in_a_loop, "invalid", ["assertion.ingredient.malformed"], encypher="Trusted", because=ACTIVE_ALONE),
    Case("100 manifests in a line", lambda: line(100), "trusted"),
    Case("250 manifests in a line", lambda: line(250), "invalid", ["com.credlink.store.limit"], encypher="Trusted", because="the specification sets no limit to a history; every validator sets its own (15.11)"),
    Case("2^40 ways through the history", lambda: lattice(40), "trusted"),
    Case("a manifest that nobody refers to", lambda: picture(manifest(), first().box), "trusted"),
]  # fmt: skip


def related(relationship: str | None) -> bytes:
    """An image whose ingredient was used like this; None does not say."""
    one = ingredient(first(), relationship)
    return picture(manifest(one, opened(one)), first().box)


def bound(number: int = 1) -> Past:
    """A manifest of the image itself, so that an update can follow."""
    image = small("png")
    return past(manifest(), number, Hole(33, 1, hashlib.sha256(image).digest()))


def update(*assertions: Assertion, before: tuple[Past, ...] = (), **how) -> bytes:
    """An image with an update manifest over these."""
    own = Manifest(Signature(leaf()), kind=UPDATE_MANIFEST, assertions=assertions, bind=lambda hole: [], **how)
    return picture(own, *[one.box for one in before])


def updated(action: str | None = None, relationship: str = "parentOf") -> bytes:
    """An update of the image's manifest, with such an action."""
    before = bound()
    one = ingredient(before, relationship)
    actions = [assertion("c2pa.actions.v2", {"actions": [{"action": action}]})] if action else []
    return update(one, *actions, before=(before,))


def rebound() -> bytes:
    """An update manifest with a hard binding of its own."""
    before = bound()
    own = Manifest(Signature(leaf()), kind=UPDATE_MANIFEST, assertions=[ingredient(before)])
    return picture(own, before.box)


def with_two_parents() -> bytes:
    """An update of two manifests at once."""
    before, other = bound(), second()
    return update(ingredient(before), ingredient(other, name="c2pa.ingredient.v3__1"), before=(before, other))


UPDATES = [
    Case("an update", updated, "trusted"),
    Case("an update of the metadata", lambda: updated("c2pa.edited.metadata"), "trusted"),
    Case("an update of nothing", lambda: update(created_action()), "invalid", ["manifest.update.wrongParents"]),
    Case("an update with a hard binding", rebound, "invalid", ["manifest.update.invalid"], c2pa="Trusted", because="it looks for hard bindings in the parent alone; an update has none (11.2.2)"),
    Case("an update with two parents", with_two_parents, "invalid", ["manifest.update.invalid", "manifest.update.wrongParents"]),
    Case("an update of a component", lambda: updated(relationship="componentOf"), "invalid", ["manifest.update.wrongParents"]),
    Case("an update that edits", lambda: updated("c2pa.filtered"), "invalid", ["manifest.update.invalid"]),
    Case("an update that crops", lambda: updated("c2pa.cropped"), "invalid", ["manifest.update.invalid"]),
]  # fmt: skip


def redacting(label: str, of: Callable[[], Past]) -> Callable[[], bytes]:
    """An image whose claim redacts an assertion of its parent."""

    def make() -> bytes:
        before = of()
        address = f"self#jumbf=/c2pa/{before.label}/c2pa.assertions/{label}"
        one = ingredient(before)
        actions = assertion(
            "c2pa.actions.v2",
            {
                "actions": [
                    {"action": "c2pa.opened", "parameters": {"ingredients": [reference(f"c2pa.assertions/{one.label}", one.box)]}},
                    {"action": "c2pa.redacted", "reason": "c2pa.PII.present", "parameters": {"redacted": address}},
                ]
            },
        )
        bend = lambda claim: claim | {"redacted_assertions": [address]}
        return picture(manifest(one, actions, bend_claim=bend), before.box)

    return make


def own_redaction() -> bytes:
    """An image whose claim redacts an assertion of itself."""
    desk = assertion("com.example.desk", {"id": 7})
    address = f"self#jumbf=/c2pa/{Manifest(Signature(leaf())).label}/c2pa.assertions/com.example.desk"
    return picture(manifest(created_action(), desk, bend_claim=lambda claim: claim | {"redacted_assertions": [address]}))


REDACTIONS = [
    Case("redacts itself", own_redaction, "invalid", ["assertion.selfRedacted"]),
    Case("redacts the actions of its parent", redacting("c2pa.actions.v2", first), "invalid", ["assertion.action.redacted"]),
    Case("redacts the hard binding of its parent", redacting("c2pa.hash.data", first), "invalid", ["assertion.dataHash.redacted"]),
]  # fmt: skip


@table(INGREDIENTS)
def test_ingredients(case, tmp_path):
    judge(case, tmp_path)


@table(UPDATES)
def test_updates(case, tmp_path):
    judge(case, tmp_path)


@table(REDACTIONS)
def test_redactions(case, tmp_path):
    judge(case, tmp_path)
