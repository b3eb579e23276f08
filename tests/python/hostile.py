"""What a row of the tables of hostile files is, and how it is put to the test.

A row says what is to come out: our state, every failure code, the certificate's checks, and what two other validators
say. Where one of them comes to another verdict the row says why, with the section of the C2PA specification.
"""

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import authorities
import credlink
import validators
from authorities import TIME_STAMPING, Holder
from c2pa_writer import Manifest, signed_image
from cose import Signature
from images import smallest

REFUSED = "refused"
"""What is written for a validator that gives no verdict at all."""

AGREES = {
    "trusted": ("Trusted",),
    "valid": ("Valid",),
    "invalid": ("Invalid", REFUSED),
    "none": (REFUSED,),
}
"""What another validator says when it agrees with our state."""


@functools.cache
def root() -> Holder:
    """The authority that signers are to lead to."""
    return authorities.root("Root")


@functools.cache
def intermediate() -> Holder:
    """The authority that issues to signers."""
    return root().authority("Intermediate")


@functools.cache
def leaf() -> Holder:
    """A signer with nothing wrong."""
    return intermediate().leaf()


@functools.cache
def stamp_root() -> Holder:
    """The authority that time-stamps are to lead to."""
    return authorities.root("Time-stamp root")


@functools.cache
def stamper() -> Holder:
    """A time-stamp authority with nothing wrong, for as long as there are certificates here."""
    return stamp_root().leaf(name="Stamper", purposes=(TIME_STAMPING,), not_before=authorities.NOW - 8 * authorities.YEAR)


@dataclass(frozen=True)
class Case:
    """One hostile file, and what is to be said of it."""

    name: str
    make: Callable[[], bytes]
    state: str
    failures: Iterable[str] = ()
    """Every failure code of the active manifest."""
    says: Iterable[str] = ()
    """Codes that do not speak against the credential and are there too."""
    silent: Iterable[str] = ()
    """Codes that must not be there."""
    history: Iterable[str] = ()
    """Every failure code of ingredients."""
    checks: dict[str, str] = field(default_factory=dict)
    """How checks of the certificate went, by name."""
    c2pa: str = ""
    """The state that c2pa-python gives, where it is not ours."""
    encypher: str = ""
    """The state that encypher-c2pa gives, where it is not ours."""
    because: str = ""
    """Why another validator's verdict is not ours."""
    anchors: Callable[[], str] = lambda: root().pem
    tsa_anchors: Callable[[], str] = lambda: stamp_root().pem
    at: str | None = None
    """The time at which is judged; c2pa-python knows only now and is left out then."""


def signed_by(holder: Holder, algorithm: str = "es256", **how) -> Callable[[], bytes]:
    """A small PNG that nothing is wrong with but what `how` says of the signature."""
    return lambda: picture(Manifest(Signature(holder, algorithm, **how)))


def picture(manifest: Manifest, *earlier: bytes, kind: str = "png") -> bytes:
    """A small image with this manifest."""
    return signed_image(small(kind), manifest, *earlier)


@functools.cache
def small(kind: str) -> bytes:
    """A small image without a credential."""
    return smallest()[kind]


def table(cases: Iterable[Case]):
    """Runs a test once for each row."""
    rows = list(cases)
    names = [row.name for row in rows]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    return pytest.mark.parametrize("case", rows, ids=names)


def judge(case: Case, folder: Path) -> None:
    """Puts a row to the test."""
    image = case.make()
    ours = report_of(image, folder, case.anchors(), case.tsa_anchors(), case.at)
    faults = [*_faults_of_report(case, ours), *_faults_of_others(case, image)]
    assert not faults, "\n".join(faults)


def report_of(image: bytes, folder: Path, anchors: str, tsa_anchors: str, at: str | None = None) -> dict:
    """What `credlink verify --json` says; nothing is fetched."""
    for name, content in {"image": image, "anchors.pem": anchors.encode(), "tsa.pem": tsa_anchors.encode()}.items():
        (folder / name).write_bytes(content)
    arguments = ["--trust-anchors", folder / "anchors.pem", "--tsa-anchors", folder / "tsa.pem"]
    arguments += ["--at", at] if at else []
    environment = {"REVOCATION_FETCH": "false"}
    done = credlink.run("verify", "--json", "--data", folder / "data", *arguments, folder / "image", env=environment)
    assert done.returncode in (0, 1), done.stderr.decode()
    found = json.loads(done.stdout)
    assert found["valid"] is (done.returncode == 0), found
    return found


def _faults_of_report(case: Case, found: dict) -> Iterable[str]:
    active = [status for status in found["status"] if "ingredient" not in status]
    failures = {status["code"] for status in active if status["kind"] == "failure"}
    codes = {status["code"] for status in active if status["kind"] != "failure"}
    history = {status["code"] for status in found["status"] if "ingredient" in status and status["kind"] == "failure"}
    checks = {check["name"]: check["result"] for check in (found["certificate"] or {"checks": []})["checks"]}
    if found["state"] != case.state:
        yield f"state: {found['state']}, not {case.state}"
    if found["valid"] and case.state in ("invalid", "none"):
        yield "it is called valid"
    if failures != set(case.failures):
        yield f"failures: {sorted(failures)}, not {sorted(case.failures)}"
    if not set(case.says) <= codes:
        yield f"missing: {sorted(set(case.says) - codes)} among {sorted(codes)}"
    if told := set(case.silent) & (codes | failures):
        yield f"not to be said: {sorted(told)}"
    if history != set(case.history):
        yield f"failures of ingredients: {sorted(history)}, not {sorted(case.history)}"
    if wrong := {name: checks.get(name) for name, result in case.checks.items() if checks.get(name) != result}:
        yield f"checks: {wrong}"


def _faults_of_others(case: Case, image: bytes) -> Iterable[str]:
    verdicts = {"encypher": state_of(lambda: validators.encypher(image, case.anchors(), case.tsa_anchors(), at=case.at))}
    if case.at is None:
        verdicts["c2pa"] = state_of(lambda: validators.c2pa_python(image, case.anchors(), case.tsa_anchors()))
    differ = False
    for name, state in verdicts.items():
        expected = getattr(case, name)
        differ = differ or bool(expected)
        if expected and expected in AGREES[case.state]:
            yield f"{name} agrees; the row says that it does not"
        elif state != expected if expected else state not in AGREES[case.state]:
            yield f"{name} says {state}, not {expected or ' or '.join(AGREES[case.state])}"
    if differ != bool(case.because):
        yield "a row has a reason exactly when another validator disagrees"


def state_of(validate: Callable[[], validators.Verdict]) -> str:
    """The state that a validator gives."""
    try:
        return validate().state
    except Exception:
        # Both have classes of errors of their own, and some of them none: whatever it is, there is no verdict.
        return REFUSED
