"""Requests that are odd as requests, whatever image they bring: charsets, boundaries, duplicates, methods, addresses."""

import http.client
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

import credlink
from credlink import DEADLINE, ROOT, Service
from images import smallest

UNKNOWN = "0f0e0d0c-0b0a-4908-8706-050403020100"

ROUTES = {
    path.replace("{id}", UNKNOWN).replace("{name}", UNKNOWN): {*methods}
    for path, methods in json.loads((ROOT / "lib/service/openapi.json").read_bytes())["paths"].items()
}
"""Every address of the document, with the methods that it takes."""

POSTS = ["/sign", "/verify", "/uploads"]


def error_of(response, status: int, code: str) -> dict:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert (error["code"], error["statusCode"]) == (code, status)
    assert error["requestId"] == response.headers["X-Request-Id"]
    return error


def post(service: Service, path: str, kind: str, body: bytes):
    return service.session.post(f"{service.url}{path}", data=body, headers={"Content-Type": kind}, timeout=DEADLINE)


def part(head: str, content: bytes) -> bytes:
    return f"--x\r\n{head}\r\n\r\n".encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--x--\r\n"


IMAGE = part('Content-Disposition: form-data; name="image"; filename="a.png"', smallest()["png"])

FORM = "multipart/form-data; boundary=x"


# Charsets


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "windows-1252", "nonsense", '"utf-7"'])
def test_json_in_another_charset_is_not_taken(service: Service, path: str, charset: str) -> None:
    answer = post(service, path, f"application/json; charset={charset}", b"{}")
    assert error_of(answer, 415, "UNSUPPORTED_MEDIA_TYPE")["details"] == {"header": "Content-Type"}


@pytest.mark.parametrize("path", ["/sign", "/verify"])
def test_a_form_in_another_charset_is_not_taken(service: Service, path: str) -> None:
    answer = post(service, path, f"{FORM}; charset=utf-16", form(IMAGE))
    error_of(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert post(service, path, f"{FORM}; charset=UTF-8", form(IMAGE)).status_code == 200


def test_a_text_in_another_charset_is_refused_and_not_misread(service: Service) -> None:
    """The same bytes are text in both charsets, and mean something else."""
    head = 'Content-Disposition: form-data; name="creator"\r\nContent-Type: text/plain; charset='
    for charset in ("iso-8859-1", "utf-16le", "Shift_JIS"):
        answer = post(service, "/sign", FORM, form(IMAGE, part(head + charset, "Zoë".encode())))
        assert error_of(answer, 400, "INVALID_REQUEST")["details"] == {"field": "creator"}
    for charset in ("utf-8", "UTF-8", "us-ascii"):
        assert post(service, "/sign", FORM, form(IMAGE, part(head + charset, b"Zoe"))).status_code == 200
    answer = post(service, "/sign", FORM, form(IMAGE, part(head.split("\r\n")[0], "Zoë".encode("latin-1"))))
    assert error_of(answer, 400, "INVALID_REQUEST")["details"] == {"field": "creator"}


def test_json_that_is_not_utf_8_is_refused(service: Service) -> None:
    for body in (b'{"contentType": "image/\xff"}', '{"contentLength": 1}'.encode("utf-16"), b"\xef\xbb\xbf{}"):
        error_of(post(service, "/uploads", "application/json", body), 400, "INVALID_REQUEST")


# Boundaries and parts

BROKEN_FORMS = {
    "another boundary": ("multipart/form-data; boundary=y", form(IMAGE)),
    "the boundary in another case": ("multipart/form-data; boundary=X", form(IMAGE)),
    "no boundary": ("multipart/form-data", form(IMAGE)),
    "an empty boundary": ("multipart/form-data; boundary=", form(IMAGE)),
    "an empty boundary in quotes": ('multipart/form-data; boundary=""', form(IMAGE)),
    "a quote that does not end": ('multipart/form-data; boundary="x', form(IMAGE)),
    "a boundary of 71": (f"multipart/form-data; boundary={'x' * 71}", form(IMAGE)),
    "line feeds alone": (FORM, form(IMAGE).replace(b"\r\n", b"\n")),
    "no final boundary": (FORM, IMAGE),
    "a form in a form": (
        FORM,
        form(
            part(
                'Content-Disposition: form-data; name="image"\r\nContent-Type: multipart/mixed; boundary=y',
                b"--y\r\nContent-Disposition: file\r\n\r\n" + smallest()["png"] + b"\r\n--y--",
            )
        ),
    ),
    "a form in a form, with the same boundary": (
        FORM,
        form(part('Content-Disposition: form-data; name="image"\r\nContent-Type: Multipart/Form-Data; boundary=x', form(IMAGE))),
    ),
    "a part of another kind": (FORM, form(part('Content-Disposition: attachment; name="image"', smallest()["png"]))),
    "a part without a name": (FORM, form(part("Content-Disposition: form-data", smallest()["png"]))),
    "a part without a head": (FORM, form(part("", smallest()["png"]))),
    "a part in base64": (
        FORM,
        form(part('Content-Disposition: form-data; name="image"\r\nContent-Transfer-Encoding: base64', b"AAAA")),
    ),
    "a charset as a field": (FORM, form(IMAGE, part('Content-Disposition: form-data; name="_charset_"', b"utf-16"))),
}  # fmt: skip


@pytest.mark.parametrize("path", ["/sign", "/verify"])
@pytest.mark.parametrize("name", BROKEN_FORMS)
def test_broken_forms(service: Service, path: str, name: str) -> None:
    kind, body = BROKEN_FORMS[name]
    answer = post(service, path, kind, body)
    if name == "a quote that does not end":
        # Then the header has no type that could be read.
        error_of(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    else:
        error_of(answer, 400, "INVALID_REQUEST")


# Duplicates


@pytest.mark.parametrize("path", ["/sign", "/verify"])
def test_an_image_given_twice_is_refused(service: Service, path: str) -> None:
    assert error_of(post(service, path, FORM, form(IMAGE, IMAGE)), 400, "INVALID_REQUEST")["details"] == {"field": "image"}


DUPLICATES = {
    "/uploads": '{"contentType": "image/png", "contentLength": 7, "contentType": "image/jpeg"}',
    "/verify": f'{{"uploadId": "{UNKNOWN}", "uploadId": "{UNKNOWN}"}}',
    "/sign": f'{{"uploadId": "{UNKNOWN}", "creator": "a", "\\u0063reator": "b"}}',
}


@pytest.mark.parametrize("path", DUPLICATES)
def test_a_member_given_twice_is_refused(service: Service, path: str) -> None:
    error = error_of(post(service, path, "application/json", DUPLICATES[path].encode()), 400, "INVALID_REQUEST")
    assert error["details"]["field"] in ("contentType", "uploadId", "creator")


TWICE_INSIDE = [
    '[{"label": "com.example.a", "label": "com.example.b", "data": {}}]',
    '[{"label": "com.example.a", "data": {"a": 1, "a": 2}}]',
    '[{"label": "com.example.a", "data": {"a": [{"b": {"c": 1, "\\u0063": 2}}]}}]',
]


@pytest.mark.parametrize("assertions", TWICE_INSIDE)
def test_what_would_be_signed_means_the_same_to_every_reader(service: Service, assertions: str) -> None:
    """Of two members with one name some take the first, and others the last."""
    field = part('Content-Disposition: form-data; name="customAssertions"', assertions.encode())
    answer = post(service, "/sign", FORM, form(IMAGE, field))
    assert error_of(answer, 400, "INVALID_REQUEST")["details"] == {"field": "customAssertions"}
    body = f'{{"uploadId": "{UNKNOWN}", "customAssertions": {assertions}}}'.encode()
    error_of(post(service, "/sign", "application/json", body), 400, "INVALID_REQUEST")


def test_a_query_that_repeats_itself_does_no_harm(service: Service) -> None:
    signed = service.post_sign(smallest()["png"])
    proof = f"{service.url}/proofs/{signed.headers['X-Proof-Uri'].rsplit('/', 1)[1]}"
    for query in ("?store=embedded&store=other", "?store=&store=embedded", "?&&=&store", "?store[]=embedded&%00=%ff"):
        assert service.session.get(proof + query, timeout=DEADLINE).status_code == 200, query
    for query in ("?thumbnails=true&thumbnails=false", "?thumbnails=true&thumbnails=true", "?thumbnails"):
        answer = post(service, f"/verify{query}", "image/png", signed.content)
        assert answer.status_code == 200 and answer.json()["valid"], query


def test_a_header_that_comes_twice(service: Service) -> None:
    twice = {"Idempotency-Key": ("a", "b"), "Content-Length": ("4", "5"), "Host": ("a", "b")}
    for name, values in twice.items():
        connection = connect(service)
        connection.putrequest("POST", "/sign", skip_host=name == "Host")
        connection.putheader("Content-Type", FORM)
        for value in values:
            connection.putheader(name, value)
        if name != "Content-Length":
            connection.putheader("Content-Length", "0")
        connection.endheaders()
        assert connection.getresponse().status == 400, name
        connection.close()


def connect(service: Service) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=DEADLINE)


# Methods


@pytest.mark.parametrize("path", ROUTES)
def test_head_is_get_without_a_body(service: Service, path: str) -> None:
    answer = service.session.head(service.url + path, timeout=DEADLINE)
    assert answer.content == b""
    if "get" in ROUTES[path]:
        got = service.session.get(service.url + path, timeout=DEADLINE)
        assert answer.status_code == got.status_code
        for name in ("Content-Type", "ETag", "Cache-Control"):
            assert answer.headers.get(name) == got.headers.get(name), name
    else:
        assert answer.status_code == 405
        assert answer.headers["Allow"]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PATCH", "DELETE", "PROPFIND"])
def test_methods_that_no_address_takes(service: Service, path: str, method: str) -> None:
    answer = service.session.request(method, service.url + path, timeout=DEADLINE)
    error_of(answer, 405, "METHOD_NOT_ALLOWED")
    allowed = {one.strip().lower() for one in answer.headers["Allow"].split(",")}
    assert allowed - {"head"} == ROUTES[path]


def test_options_of_everything(service: Service) -> None:
    """The asterisk form of a request (RFC 9110, section 9.3.7) is for a server as a whole, and gets an answer."""
    line = exchange(service, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b" 404 " in line or b" 405 " in line or b" 400 " in line, line
    assert service.is_alive()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that pages of one other origin may call."""
    data = tmp_path_factory.mktemp("shared")
    running = credlink.start(data, data / "service.log", ALLOWED_ORIGINS="https://pages.example")
    yield running
    running.stop()


@pytest.mark.parametrize("path", [*ROUTES, "/nothing"])
def test_preflights_are_answered_on_every_address(shared: Service, path: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    for origin, allowed in (("https://pages.example", "https://pages.example"), ("https://other.example", None)):
        answer = shared.session.options(shared.url + path, headers=asked | {"Origin": origin}, timeout=DEADLINE)
        assert answer.status_code == 200
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed


# Expectations


def exchange(service: Service, request: bytes) -> bytes:
    """The first line of the answer to these bytes."""
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=DEADLINE) as caller:
        caller.sendall(request)
        return caller.makefile("rb").readline()


@pytest.mark.parametrize("method,path", [("POST", "/sign"), ("POST", "/verify"), ("POST", "/uploads"), ("PUT", f"/uploads/{UNKNOWN}")])
def test_who_asks_whether_to_send_is_refused_before(service: Service, method: str, path: str) -> None:
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
    status = b" 404 " if method == "PUT" else b" 415 "
    assert status in exchange(service, head.encode())


def test_who_asks_whether_to_send_may(service: Service) -> None:
    body = form(IMAGE)
    head = f"POST /sign HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n"
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=DEADLINE) as caller:
        caller.sendall(f"{head}Connection: close\r\n\r\n".encode())
        answer = caller.makefile("rb")
        assert b" 100 " in answer.readline()
        assert answer.readline() == b"\r\n"
        caller.sendall(body)
        assert b" 200 " in answer.readline()
    assert b" 415 " in exchange(service, b"POST /sign HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\nContent-Length: 0\r\n\r\n")


# Addresses

PLACES = ["/proofs/", "/uploads/", "/results/", "/assets/", "/"]

ELSEWHERE = [
    "..",
    "../x",
    "../keys/root.pem",
    "%2e%2e",
    "%2e%2e/",
    "%2e%2e%2f",
    "%2E%2E%2Fkeys%2Froot.pem",
    ".%2e/x",
    "..%2f..%2fkeys%2froot.pem",
    "..%5c..%5ckeys%5croot.pem",
    "..\\..\\keys\\root.pem",
    "%252e%252e%252fkeys%252froot.pem",
    "%c0%ae%c0%ae%c0%afkeys",
    "%ff",
    "%00",
    f"{UNKNOWN}%00",
    f"{UNKNOWN}%2f",
    f"{UNKNOWN}/",
    f"{UNKNOWN}/..",
    f"%2e/{UNKNOWN}",
    f"{UNKNOWN};x=1",
    f"{{{UNKNOWN}}}",
    "style.css%00",
    "style.css%2f",
    "style.css/",
    "%2fstyle.css",
    "a%2fb",
    "%zz",
    "%",
    "x" * 8000,
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_address_leads_nowhere_else(service: Service, place: str, name: str) -> None:
    for method in ("GET", "PUT"):
        connection = connect(service)
        connection.putrequest(method, place + name)
        connection.putheader("Content-Type", "image/png")
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status in (400, 404, 405), (method, place + name)
        codes = ("NOT_FOUND", "PROOF_NOT_FOUND", "UPLOAD_NOT_FOUND", "METHOD_NOT_ALLOWED", "INVALID_REQUEST")
        # The head of a request that cannot be read is refused before there is an envelope.
        assert not body or json.loads(body)["error"]["code"] in codes
        assert b"CERTIFICATE" not in body


def test_an_asset_is_found_by_its_name_however_it_is_written(service: Service) -> None:
    connection = connect(service)
    connection.request("GET", "/assets/%73tyle.css")
    assert connection.getresponse().status == 200
    connection.close()
