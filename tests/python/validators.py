"""Two C2PA validators behind one shape.

c2pa-python is the C2PA project's own reader, built on another version of the library that the program uses.
encypher-c2pa is an engine of its own.
"""

import io
import json
from dataclasses import dataclass

import c2pa
import encypher_c2pa

from containers import media_type


@dataclass(frozen=True)
class Verdict:
    """What a validator says."""

    state: str
    """`Invalid`, `Valid` or `Trusted`."""
    failures: tuple[str, ...]
    """Failure codes of the active manifest."""
    history: tuple[str, ...]
    """Failure codes of its ingredients."""
    raw: dict
    """The whole report."""


def c2pa_python(image: bytes, root_pem: str | None) -> Verdict:
    """The reader of the C2PA SDK; trusts `root_pem` alone."""
    settings = {"verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False}}
    if root_pem is not None:
        settings["trust"] = {"trust_anchors": root_pem}
    with c2pa.Context(c2pa.Settings.from_dict(settings)) as context:
        with c2pa.Reader(media_type(image), io.BytesIO(image), context=context) as reader:
            raw = json.loads(reader.json())
    results = raw["validation_results"]
    return Verdict(raw["validation_state"], _codes([results["activeManifest"]]), _history(results), raw)


def encypher(image: bytes, root_pem: str | None, *, strict: bool = False) -> Verdict:
    """Encypher's verifier; trusts `root_pem` alone. Nothing is fetched or sent.

    `strict` asks for the rules of the conformance programme on top of the specification's.
    """
    raw = dict(
        encypher_c2pa.verify(
            image,
            media_type(image),
            trust_pem=root_pem,
            no_default_trust=True,
            strict_conformance=strict,
            online=False,
            telemetry=False,
        )
    )
    active = _codes([raw["validation_results"]])
    history = _history(raw["manifest_report"]["validation_results"])
    return Verdict(raw["validation_state"], active, history, raw)


def assert_valid(image: bytes, root_pem: str, *, history: bool = True) -> None:
    """Both validators call the image Valid, and Trusted when they know our root.

    `history` says that the image's earlier credentials are to be valid too.
    """
    for validate in (c2pa_python, encypher):
        stranger = validate(image, None)
        assert stranger.state == "Valid", (validate.__name__, stranger.state, stranger.failures)
        assert set(stranger.failures) <= {"signingCredential.untrusted"}, (validate.__name__, stranger.failures)
        friend = validate(image, root_pem)
        assert friend.state == "Trusted", (validate.__name__, friend.state, friend.failures)
        assert not friend.failures, (validate.__name__, friend.failures)
        assert not (history and friend.history), (validate.__name__, friend.history)


def _history(results: dict) -> tuple[str, ...]:
    return _codes([delta["validationDeltas"] for delta in results.get("ingredientDeltas", [])])


def _codes(results: list[dict]) -> tuple[str, ...]:
    return tuple(entry["code"] for result in results for entry in result["failure"])
