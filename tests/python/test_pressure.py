"""Callers who are slow, idle, many or endless are bounded, and others are served meanwhile."""

import asyncio
import resource
import select
import socket
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import credlink
from credlink import DEADLINE, Service
from images import corpus

IDLE = 10_000

MEMORY = 250 << 20
"""What idle callers may cost, in bytes."""


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Service]:
    """A service for one test alone."""
    data = tmp_path / "data"
    data.mkdir()
    credlink.make_keys(data, "p-256")
    running = credlink.start(data, tmp_path / "service.log")
    yield running
    running.stop()


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Allows this process, and nobody else, as many connections as the test needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 1000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the system allows {hard} open files; the test needs {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident(service: Service) -> int:
    """The memory that the service takes, in bytes."""
    lines = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) << 10


def address(service: Service) -> tuple[str, int]:
    parts = urlsplit(service.url)
    return parts.hostname, parts.port


async def connect_all(service: Service, count: int, first: bytes) -> list[asyncio.StreamWriter]:
    """So many connections, on each of which something was sent."""

    async def connect() -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection(*address(service))
        writer.write(first)
        return writer

    writers = []
    for begin in range(0, count, 200):
        writers += await asyncio.gather(*(connect() for _ in range(min(200, count - begin))))
    return writers


def run(work: Coroutine[None, None, None]) -> None:
    """Does it in a loop in a thread of its own: the browser that drives the pages occupies this one's."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


def close_all(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.transport.abort()


@pytest.mark.usefixtures("_many_files")
@pytest.mark.parametrize(
    "first", [b"", b"POST /sign HTTP/1.1\r\nHost: a\r\nX-Slow: ", b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"],
    ids=["silent", "half a head", "after an answer"],
)  # fmt: skip
def test_idle_connections_keep_nobody_out(fresh: Service, first: bytes) -> None:
    before = resident(fresh)

    async def crowd() -> None:
        writers = await connect_all(fresh, IDLE, first)
        begun = time.monotonic()
        for _ in range(5):
            signed = await asyncio.to_thread(fresh.post_sign, corpus()["jpeg-exif"])
            assert signed.status_code == 200, signed.text
        assert time.monotonic() - begun < DEADLINE / 2
        close_all(writers)

    run(crowd())
    assert resident(fresh) - before < MEMORY
    assert fresh.is_alive()


def test_slow_bodies_keep_nobody_out(fresh: Service) -> None:
    head = b"POST /verify HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 1000000\r\n\r\n"

    async def drip() -> None:
        writers = await connect_all(fresh, 400, head + b"x")
        for _ in range(5):
            report = await asyncio.to_thread(fresh.post_verify, corpus()["jpeg-exif"])
            assert report.status_code == 200
            for writer in writers:
                writer.write(b"x")
        close_all(writers)

    run(drip())
    assert fresh.is_alive()


def test_a_body_that_never_ends_is_refused(fresh: Service) -> None:
    before = resident(fresh)
    head = b"POST /verify HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"

    with socket.create_connection(address(fresh), timeout=DEADLINE) as caller:
        caller.sendall(head)
        # The answer comes before the end of the body, and the end of the connection soon after it.
        with suppress(ConnectionError, TimeoutError):
            for _ in range(500):
                if select.select([caller], [], [], 0)[0]:
                    break
                caller.sendall(chunk)
        assert b" 413 " in caller.makefile("rb").readline()
    assert resident(fresh) - before < MEMORY


def exchange(service: Service, request: bytes) -> bytes:
    """The first line of the answer to these bytes."""

    with socket.create_connection(address(service), timeout=DEADLINE) as caller:
        # A request that is refused early need not be read to its end.
        with suppress(ConnectionError):
            caller.sendall(request)
        return caller.makefile("rb").readline()


@pytest.mark.parametrize(
    "fields",
    [b"".join(b"X-%d: a\r\n" % number for number in range(5000)), b"X-Long: " + b"a" * (1 << 20) + b"\r\n"],
    ids=["many", "long"],
)
def test_a_flood_of_headers_is_refused(service: Service, fields: bytes) -> None:
    line = exchange(service, b"GET /health HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
    assert b" 431 " in line or line == b""
    assert service.is_alive()


def test_a_thousand_parts_are_refused(service: Service) -> None:
    form = [(f"field{number}", (None, "x")) for number in range(1000)]
    answer = service.session.post(f"{service.url}/sign", files=form, timeout=DEADLINE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")


def test_who_asks_first_whether_to_send_is_told(service: Service) -> None:
    head = b"POST /verify HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    assert b" 413 " in exchange(service, head % (1 << 30))
    assert b" 100 " in exchange(service, head % 1000)
