"""What schemathesis cannot guess: real images, real ids; and a check that it does not have.

Loaded by schemathesis itself (`schemathesis.toml`). What it works with is in the folder that `fuzz_api.py` fills.
"""

import json
import os
import random
import re
from pathlib import Path

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.transport.serialization import Binary

from openapi_document import Document, unknown_headers

MATERIAL = Path(os.environ["CREDLINK_FUZZ_MATERIAL"])
DOCUMENT = Document(json.loads((MATERIAL / "openapi.json").read_bytes()))
IMAGES = [Binary(path.read_bytes()) for path in sorted(MATERIAL.glob("image-*"))]
PROOFS, UPLOADS = (json.loads((MATERIAL / name).read_text()) for name in ("proofs.json", "uploads.json"))

FORMS = ["application/json", "application/c2pa", "text/html", "*/*", "text/*;q=0.5, application/c2pa;q=0.4"]

CHOICE = random.Random(1)


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    """Puts what is real in the place of what was generated: always in requests that are meant to be good, and often
    in those that are meant to be bad elsewhere."""
    # Whether it is good or bad was decided when it was generated; bytes cannot be held against a schema of JSON again.
    case.freeze_metadata()
    meant_well = case.meta is None or case.meta.generation.mode.is_positive
    if not meant_well and CHOICE.random() < 0.4:
        return
    bad = set() if meant_well else {where for where, part in case.meta.components.items() if part.mode.is_negative}
    if isinstance(case.body, dict):
        case.body = with_what_is_real(case.body, meant_well, ParameterLocation.BODY in bad)
    elif isinstance(case.body, Binary) and case.path == "/verify" and meant_well:
        case.body = CHOICE.choice(IMAGES)
    if case.path == "/proofs/{id}":
        case.headers["Accept"] = CHOICE.choice(FORMS)
        named = "id" in (case.path_parameters or {}) and ParameterLocation.PATH not in bad
        if named and CHOICE.random() < 0.5:
            case.path_parameters["id"] = CHOICE.choice(PROOFS)
    if case.method.upper() == "GET" and CHOICE.random() < 0.2:
        case.headers["If-None-Match"] = "*"


def with_what_is_real(fields: dict, meant_well: bool, is_bad: bool) -> dict:
    """What makes a body bad must stay. An image is never that: no schema says what is in it."""
    fields = dict(fields)
    if "image" in fields:
        fields["image"] = CHOICE.choice(IMAGES)
    if "uploadId" in fields and not is_bad and CHOICE.random() < 0.8:
        fields["uploadId"] = CHOICE.choice(UPLOADS)
    # In a form it is JSON in a text, which no generator makes by chance.
    if meant_well and isinstance(fields.get("customAssertions"), str):
        fields["customAssertions"] = '[{"label": "com.example.desk", "data": {"assignment": 7}}]'
    return fields


@schemathesis.hook
def filter_failure(context, failure, case, response) -> bool:
    """Schemathesis calls a body with bytes in it bad as soon as anything else of its request was changed, because bytes
    cannot be held against a schema again. Then the bad part that it names is another one, and is good."""
    if isinstance(failure, RejectedPositiveData):
        # No schema can say where whole numbers end: 1e300 is one to it too, and is taken.
        return "whole numbers end at" not in response.text
    if not isinstance(failure, AcceptedNegativeData):
        return True
    # A form has texts only: what was another type has become one. And what is called no image is a real one again.
    broken = re.findall(r"violates `(\w+)` at (\S+)", failure.message)
    harmless = all(rule == "type" or (rule == "format" and where.endswith("/image")) for rule, where in broken)
    if case.media_type == "multipart/form-data" and broken and harmless:
        return False
    bad = [location for location, part in case.meta.components.items() if part.mode.is_negative]
    named = any(text in failure.message for text in ("in body - valid object", "in body - file sample"))
    return bad != [ParameterLocation.BODY] or ("in body" in failure.message and not named)


@schemathesis.check
def only_documented_headers(ctx, response, case) -> None:
    """No answer has a header that the document does not name for it."""
    answer = DOCUMENT.answer(case.path, case.method, response.status_code)
    # Where it says nothing at all, another check objects.
    unknown = unknown_headers(answer, response.headers) if answer else set()
    assert not unknown, f"undocumented headers: {', '.join(sorted(unknown))}"
