"""A link to the local AWS that tests can break: every call of the functions goes through it."""

import http.client
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

DEADLINE = 60.0
"""The longest that one call may take, in seconds."""

FORWARDED_ONLY_BY_THE_NEXT_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")


@dataclass(frozen=True)
class Call:
    """One call on its way."""

    method: str
    path: str
    operation: str
    """What the JSON services call it, such as `TransactWriteItems`; empty for S3."""


def operation(name: str) -> Callable[[Call], bool]:
    """Calls of a service that is spoken to in JSON, such as `Sign`."""
    return lambda call: call.operation == name


def put_object(part: str) -> Callable[[Call], bool]:
    """Objects that are put into S3 under a key with `part` in it."""
    return lambda call: call.method == "PUT" and not call.operation and part in call.path


@dataclass
class Fault:
    """What happens to calls that match, `times` often; `None` is for ever."""

    matches: Callable[[Call], bool]
    times: int | None = None
    error: tuple[int, str] | None = None
    """The answer in place of the real one: a status and a code. Without one, the connection is dropped."""
    done: bool = False
    """Whether the call reached AWS all the same."""
    meanwhile: Callable[[], None] = lambda: None
    """What else happens then."""
    left: int | None = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.times

    def strikes(self, call: Call) -> bool:
        """Whether this call is one that it happens to."""
        if self.left == 0 or not self.matches(call):
            return False
        if self.left is not None:
            self.left -= 1
        return True


class FaultyLink:
    """Listens on loopback and forwards to `target`."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target).netloc
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        link = self

        class Handler(_Handler):
            """Knows its link."""

            owner = link

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}"

    @contextmanager
    def broken(self, *faults: Fault) -> Iterator[None]:
        """For as long as it lasts, these faults happen."""
        with self.lock:
            self.faults.extend(faults)
        try:
            yield
        finally:
            with self.lock:
                self.faults = [fault for fault in self.faults if fault not in faults]

    def fault_for(self, call: Call) -> Fault | None:
        """The fault that happens to a call."""
        with self.lock:
            return next((fault for fault in self.faults if fault.strikes(call)), None)

    def stop(self) -> None:
        """Listens no more."""
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Forwards one connection's calls."""

    protocol_version = "HTTP/1.1"
    owner: FaultyLink

    def handle_any(self) -> None:
        """Forwards a call, unless a fault says otherwise."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self._body()
        target = self.headers.get("x-amz-target", "")
        call = Call(self.command, urlsplit(self.path).path, target.rpartition(".")[2])
        fault = self.owner.fault_for(call)
        if fault is None:
            self._answer(*self._forward(body))
            return
        if fault.done:
            self._forward(body)
        fault.meanwhile()
        if fault.error is None:
            self.close_connection = True
            return
        status, code = fault.error
        if call.operation:
            content, kind = json.dumps({"__type": code, "message": "injected"}).encode(), "application/x-amz-json-1.1"
        else:
            content, kind = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode(), "application/xml"
        self._answer(status, [("Content-Type", kind)], content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        for _ in itertools.count():
            length = int(self.rfile.readline().split(b";")[0], 16)
            pieces.append(self.rfile.read(length))
            self.rfile.readline()
            if length == 0:
                return b"".join(pieces)
        raise AssertionError

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.owner.target, timeout=DEADLINE)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in (*FORWARDED_ONLY_BY_THE_NEXT_HOP, "expect"):
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        length = len(content)
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = int(value)
            elif name.lower() not in FORWARDED_ONLY_BY_THE_NEXT_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Says nothing."""
