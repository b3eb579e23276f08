"""The OpenAPI document is one, real answers are as it says, and generated requests get none that are not."""

from pathlib import Path

import pytest
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

import credlink
import fuzz_api
import page_states
from credlink import DEADLINE, Service
from images import corpus, noise, saved
from openapi_document import Document
from pages import INLINE_LIMIT

UNKNOWN = "0f0e0d0c-0b0a-4908-8706-050403020100"

EXAMPLES = 6
"""Generated requests of each operation and kind: a sample of what `make fuzz-api` sends."""


@pytest.fixture(scope="module")
def document(service: Service) -> Document:
    """The document as the service gives it."""
    return Document(service.session.get(f"{service.url}/openapi.json", timeout=DEADLINE).json())


def test_it_is_openapi_3_1(document: Document) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document.json).iter_errors()] == []
    assert document.json["info"]["version"] in credlink.run("--version").stdout.decode()


def test_its_address_is_relative(document: Document) -> None:
    """So it is right behind the path of a stage, too."""
    (server,) = document.json["servers"]
    assert requests.compat.urljoin("https://a.example/v1/openapi.json", server["url"]) == "https://a.example/v1/"
    assert requests.compat.urljoin("http://127.0.0.1:3001/openapi.json", server["url"]) == "http://127.0.0.1:3001/"


def test_its_examples_are_as_its_schemas_say(document: Document) -> None:
    assert document.example_errors() == []


def test_what_only_one_machine_has_is_marked(document: Document) -> None:
    marked = {
        path
        for path, methods in document.json["paths"].items()
        for operation in methods.values()
        if "local" in operation["tags"]
    }
    assert marked == {"/uploads/{id}", "/results/{name}", "/metrics"}


@pytest.mark.parametrize("state", page_states.STATES)
def test_reports_of_every_state(paged: Service, document: Document, state: str) -> None:
    image = page_states.STATES[state](paged)
    for query in ("", "?thumbnails=true"):
        headers = {"Content-Type": "application/octet-stream"}
        answer = paged.session.post(f"{paged.url}/verify{query}", data=image, headers=headers, timeout=DEADLINE)
        document.check("/verify", answer)


def test_the_way_of_a_large_image(paged: Service, document: Document) -> None:
    image = saved(noise(400, 400), "PNG")
    assert len(image) > INLINE_LIMIT
    refused = paged.post_sign(image)
    assert refused.status_code == 413
    document.check("/sign", refused)
    announced = {"contentType": "image/png", "contentLength": len(image)}
    begun = paged.session.post(f"{paged.url}/uploads", json=announced, timeout=DEADLINE)
    document.check("/uploads", begun)
    ticket = begun.json()
    for body, kind in ((image[:-1], "image/png"), (image, "image/jpeg"), (image, "image/png")):
        sent = paged.session.put(ticket["url"], data=body, headers={"Content-Type": kind}, timeout=DEADLINE)
        document.check("/uploads/{id}", sent)
    for named in (ticket["uploadId"], UNKNOWN):
        signed = paged.session.post(
            f"{paged.url}/sign", json={"uploadId": named}, timeout=DEADLINE, allow_redirects=False
        )
        document.check("/sign", signed)
        document.check("/verify", paged.session.post(f"{paged.url}/verify", json={"uploadId": named}, timeout=DEADLINE))
        if signed.status_code == 303:
            document.check("/results/{name}", paged.session.get(signed.headers["Location"], timeout=DEADLINE))
    document.check("/results/{name}", paged.session.get(f"{paged.url}/results/{UNKNOWN}", timeout=DEADLINE))


def test_a_signed_image_and_its_proof(service: Service, document: Document) -> None:
    signed = service.post_sign(corpus()["webp-lossy"], creator="Zoë Ağaoğlu", training="constrained")
    document.check("/sign", signed)
    for id in (signed.headers["X-Proof-Uri"].rsplit("/", 1)[1], UNKNOWN):
        for accept in ("application/json", "application/c2pa", "text/html"):
            for known in ({}, {"If-None-Match": "*"}):
                answer = service.session.get(
                    f"{service.url}/proofs/{id}", headers={"Accept": accept} | known, timeout=DEADLINE
                )
                document.check("/proofs/{id}", answer)


@pytest.mark.parametrize("path", ["/", "/sign.html", "/health", "/metrics", "/openapi.json"])
def test_what_takes_nothing(service: Service, document: Document, path: str) -> None:
    for known in ({}, {"If-None-Match": "*"}):
        document.check(path, service.session.get(service.url + path, headers=known, timeout=DEADLINE))


def test_every_part_of_the_pages(service: Service, document: Document) -> None:
    (parameter,) = [
        one
        for one in document.json["paths"]["/assets/{name}"]["get"]["parameters"]
        if one.get("in") == "path"
    ]
    for name in [*parameter["schema"]["enum"], "other.js"]:
        document.check("/assets/{name}", service.session.get(f"{service.url}/assets/{name}", timeout=DEADLINE))


@pytest.mark.parametrize("guarded", [False, True], ids=["open", "guarded"])
def test_generated_requests_get_documented_answers(guarded: bool, tmp_path: Path) -> None:
    outcome = fuzz_api.run(tmp_path, EXAMPLES, guarded=guarded)
    assert outcome.passed, outcome.report[-20_000:]
    assert outcome.requests > 400
