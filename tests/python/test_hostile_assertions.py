"""Hostile assertions: not there, not named, not what was hashed, not CBOR or JSON, and actions that cannot be."""

from collections.abc import Callable, Sequence

import cbor2

from c2pa_writer import (
    DIGITAL_CAPTURE,
    Assertion,
    Manifest,
    assertion,
    created_action,
    json_assertion,
)
from cose import Signature
from hostile import Case, judge, leaf, picture, table

DESK = assertion("com.example.desk", {"id": 7})


def holding(*assertions: Assertion, kind: str = "png", **how) -> Callable[[], bytes]:
    """An image with these assertions, besides the hard binding."""
    return lambda: picture(Manifest(Signature(leaf()), assertions=assertions, **how), kind=kind)


def acting(*actions: object, **further: object) -> Callable[[], bytes]:
    """An image with these actions."""
    return holding(assertion("c2pa.actions.v2", {"actions": list(actions)} | further))


def named(change: Callable[[list[dict]], list[object]]) -> Callable[[], bytes]:
    """An image whose claim names its assertions in another way."""

    def bend(claim: dict) -> dict:
        return claim | {"created_assertions": change(claim["created_assertions"])}

    return holding(created_action(), DESK, bend_claim=bend)


def stored(change: Callable[[list[bytes]], list[bytes]], kind: str = "png") -> Callable[[], bytes]:
    """An image whose assertion store is another than the one that was hashed."""
    return holding(created_action(), DESK, bend_assertions=change, kind=kind)


def swapped(boxes: Sequence[bytes], other: Assertion) -> list[bytes]:
    return [*boxes[:-1], other.box]


STORE = [
    *(
        Case(
            f"an assertion of another content, {kind}",
            stored(lambda boxes: swapped(boxes, assertion("com.example.desk", {"id": 8})), kind),
            "invalid",
            ["assertion.hashedURI.mismatch"],
        )
        for kind in ("jpeg", "png", "webp")
    ),
    Case("an assertion is missing", stored(lambda boxes: boxes[:-1]), "invalid", ["assertion.missing"]),
    Case("the hard binding is missing", stored(lambda boxes: boxes[1:]), "invalid", ["assertion.missing"]),
    Case("an assertion is not named", stored(lambda boxes: [*boxes, assertion("com.example.more", {}).box]), "invalid", ["assertion.undeclared"]),
    Case("an assertion is there twice", stored(lambda boxes: [*boxes, boxes[-1]]), "invalid", ["assertion.undeclared"]),
    Case("no assertion store", holding(created_action(), bend_boxes=lambda boxes: boxes[1:]), "invalid", ["assertion.missing"]),
    Case("an empty assertion store", stored(lambda boxes: []), "invalid", ["assertion.missing"]),
]  # fmt: skip

REFERENCES = [
    Case("a reference with another hash", named(lambda urls: [*urls[:-1], urls[-1] | {"hash": bytes(32)}]), "invalid", ["assertion.hashedURI.mismatch"]),
    Case("a reference with a short hash", named(lambda urls: [*urls[:-1], urls[-1] | {"hash": b"x"}]), "invalid", ["assertion.hashedURI.mismatch"]),
    Case("a reference without a hash", named(lambda urls: [*urls[:-1], {"url": urls[-1]["url"]}]), "invalid", ["claim.malformed"]),
    Case("a reference without an address", named(lambda urls: [*urls[:-1], {"hash": bytes(32)}]), "invalid", ["claim.malformed"]),
    Case("a reference to nothing", named(lambda urls: [*urls, urls[-1] | {"url": "self#jumbf=c2pa.assertions/com.example.x"}]), "invalid", ["assertion.missing"]),
    Case("a reference to another manifest", named(lambda urls: [*urls, urls[-1] | {"url": "self#jumbf=/c2pa/urn:c2pa:00000000-0000-4000-8000-000000000000/c2pa.assertions/com.example.desk"}]), "invalid", ["assertion.outsideManifest"]),
    Case("a reference to the network", named(lambda urls: [*urls, urls[-1] | {"url": "https://127.0.0.1:1/x"}]), "invalid", ["assertion.missing", "assertion.outsideManifest"]),
    Case("a reference with an unknown algorithm", named(lambda urls: [*urls[:-1], urls[-1] | {"alg": "md5"}]), "invalid", ["algorithm.unsupported"]),
    Case("no references", named(lambda urls: []), "invalid", ["claim.malformed"]),
]  # fmt: skip

CONTENTS = {
    "CBOR that ends early": Assertion("com.example.desk", cbor2.dumps({"id": "x" * 100})[:-50]),
    "CBOR of a reserved kind": Assertion("com.example.desk", b"\xa1\x61a\x1c"),
    "CBOR of no bytes": Assertion("com.example.desk", b""),
    "CBOR with bytes behind it": Assertion("com.example.desk", cbor2.dumps({"id": 7}) + b"\x00"),
}

JSON_CONTENTS = {
    "JSON that ends early": Assertion("com.example.desk", b'{"id": 7', b"json"),
    "JSON of no bytes": Assertion("com.example.desk", b"", b"json"),
    "JSON that is not UTF-8": Assertion("com.example.desk", b'{"id": "\xff"}', b"json"),
    "JSON 100 000 deep": Assertion("com.example.desk", b"[" * 100_000 + b"]" * 100_000, b"json"),
}

DEEP = {
    "arrays 1 000 deep": Assertion("com.example.desk", b"\x81" * 1000 + b"\x00"),
    "tags 1 000 000 deep": Assertion("com.example.desk", b"\xc6" * 1_000_000 + b"\x00"),
    "maps and tags in turn, 10 000 deep": Assertion("com.example.desk", b"\xa1\x00\xc6" * 10_000 + b"\x00"),
}

CONTENT_CASES = [
    *(
        Case(f"assertion: {name}", holding(created_action(), one), "invalid", ["assertion.cbor.invalid"])
        for name, one in (CONTENTS | DEEP).items()
    ),
    *(
        Case(f"assertion: {name}", holding(created_action(), one), "invalid", ["assertion.json.invalid"])
        for name, one in JSON_CONTENTS.items()
    ),
]

CREATED = {"action": "c2pa.created", "digitalSourceType": DIGITAL_CAPTURE}
MALFORMED, MISMATCH = ["assertion.action.malformed"], ["assertion.action.ingredientMismatch"]
NOWHERE = {"url": "self#jumbf=c2pa.assertions/c2pa.ingredient.v3", "hash": bytes(32)}

ACTIONS = [
    Case("no actions", holding(DESK), "invalid", MALFORMED),
    Case("an empty list of actions", acting(), "invalid", MALFORMED),
    Case("the first action is an edit", acting({"action": "c2pa.edited"}), "invalid", MALFORMED),
    Case("created twice", acting(CREATED, CREATED), "invalid", MALFORMED),
    Case("created without a source", acting({"action": "c2pa.created"}), "invalid", MALFORMED, encypher="Trusted", because="it asks for no source; c2pa.created has one (18.15)"),
    Case("opened without an ingredient", acting({"action": "c2pa.opened"}), "invalid", MISMATCH),
    Case("opened with an ingredient that is not there", acting({"action": "c2pa.opened", "parameters": {"ingredients": [NOWHERE]}}), "invalid", MISMATCH),
    Case("placed without an ingredient", acting(CREATED, {"action": "c2pa.placed"}), "invalid", MISMATCH),
    Case("translated without languages", acting(CREATED, {"action": "c2pa.translated"}), "invalid", MALFORMED, encypher="Trusted", because="it does not look at the parameters, which name both languages (18.15)"),
    Case("actions are no list", holding(assertion("c2pa.actions.v2", {"actions": 7})), "invalid", MALFORMED),
    Case("actions in JSON", holding(json_assertion("c2pa.actions.v2", {"actions": [CREATED]})), "invalid", MALFORMED, encypher="Trusted", because="it takes actions in JSON; they are CBOR (18.15)"),
]  # fmt: skip


@table(STORE)
def test_assertion_stores(case, tmp_path):
    judge(case, tmp_path)


@table(REFERENCES)
def test_references(case, tmp_path):
    judge(case, tmp_path)


@table(CONTENT_CASES)
def test_contents(case, tmp_path):
    judge(case, tmp_path)


@table(ACTIONS)
def test_actions(case, tmp_path):
    judge(case, tmp_path)
