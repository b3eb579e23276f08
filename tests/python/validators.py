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


PURPOSES = "\n".join(
    (
        "1.3.6.1.4.1.62558.2.1",  # C2PA claim signing
        "1.3.6.1.5.5.7.3.4",  # e-mail protection
        "1.3.6.1.5.5.7.3.36",  # document signing
        "1.3.6.1.5.5.7.3.8",  # time-stamping
        "1.3.6.1.5.5.7.3.9",  # OCSP signing
    )
)
"""The extended key usages that may be asked for (C2PA 2.4, section 14.4.1)."""


def c2pa_python(
    image: bytes, root_pem: str | None, tsa_pem: str | None = None, *, store: bytes | None = None
) -> Verdict:
    """The reader of the C2PA SDK; trusts `root_pem` alone, and `tsa_pem` too.

    It has one list for signers and time-stamp authorities. `store` takes the place of the manifest store in the image.
    """
    settings = {
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
        "trust": {"trust_config": PURPOSES},
    }
    if root_pem is not None:
        settings["trust"]["trust_anchors"] = root_pem + (tsa_pem or "")
    with c2pa.Context(c2pa.Settings.from_dict(settings)) as context:
        with c2pa.Reader(media_type(image), io.BytesIO(image), store, context=context) as reader:
            raw = json.loads(reader.json())
    results = raw["validation_results"]
    return Verdict(raw["validation_state"], _codes([results["activeManifest"]]), _history(results), raw)


def encypher(
    image: bytes,
    root_pem: str | None,
    tsa_pem: str | None = None,
    *,
    strict: bool = False,
    at: str | None = None,
    store: bytes | None = None,
) -> Verdict:
    """Encypher's verifier; trusts `root_pem` alone, for time-stamps `tsa_pem` alone. Nothing is fetched or sent.

    `strict` asks for the rules of the conformance programme on top of the specification's, `at` for a verdict at that
    time. `store` takes the place of the manifest store in the image.
    """
    raw = dict(
        encypher_c2pa.verify(
            image,
            media_type(image),
            manifest_store=store,
            trust_pem=root_pem,
            tsa_trust_pem=tsa_pem,
            validation_time=at,
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
