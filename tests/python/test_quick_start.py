"""The quick start does what it says: its commands run, in its order, and give the answers that stand there."""

import json
import os
import re
import selectors
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import credlink
import images
from photographs import photograph

PAGE = credlink.ROOT / "docs" / "quick-start.md"

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

VARIES = {"processingTime", "uptimeSeconds"}
"""Numbers that are never the same twice."""

HEADERS_VARY = {"x-processing-time", "ratelimit-remaining", "ratelimit-reset", "content-length"}

KINDS = (
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "(time)"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "(id)"),
    (r"\b(credlink_)?([0-9a-f]{8,}|[0-9A-F]{8})\b", "(digits)"),
    (r"127\.0\.0\.1:\d+", "(address)"),
)
"""Text that is another with each run, and what it is."""


@dataclass
class Example:
    """A command of the page and what it answers there."""

    command: str
    kind: str | None = None
    answer: str = ""


def examples() -> list[Example]:
    """What stands in boxes: an answer belongs to the command before it."""
    found: list[Example] = []
    for kind, text in BLOCK.findall(PAGE.read_text()):
        if kind == "sh":
            found.append(Example(text))
        else:
            assert found and found[-1].kind is None, f"an answer without its command: {text[:80]}"
            found[-1].kind, found[-1].answer = kind, text
    return found


class Reader:
    """Somebody who follows the page in a folder, with the program on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: list[subprocess.Popen] = []
        self.addresses: dict[str, str] = {}
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        (bin_folder / "credlink").symlink_to(credlink.binary().resolve())
        self.environment = credlink.clean_environment()
        self.environment["PATH"] = f"{bin_folder}{os.pathsep}{self.environment['PATH']}"

    def follow(self, example: Example) -> str:
        """Runs a command; what it answers."""
        command = example.command
        if "credlink serve" in command:
            return self.serve(command)
        for told, real in self.addresses.items():
            command = command.replace(told, real)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            timeout=credlink.DEADLINE,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout.decode()}\n{done.stderr.decode()}"
        return done.stdout.decode()

    def serve(self, command: str) -> str:
        """Starts a service on a free port in place of the one that the page names."""
        told = re.search(r"127\.0\.0\.1:\d+", command).group()
        with (self.folder / f"{told}.log").open("wb") as log:
            service = subprocess.Popen(
                ["bash", "-c", re.sub(r"(\w+=\w+ )?credlink", r"\1 exec credlink", command.replace(told, "127.0.0.1:0"))],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.services.append(service)
        with selectors.DefaultSelector() as selector:
            selector.register(service.stdout, selectors.EVENT_READ)
            assert selector.select(credlink.DEADLINE), "the service says nothing"
        line = service.stdout.readline().decode()
        self.addresses[told] = re.search(r"127\.0\.0\.1:\d+", line).group()
        return line

    def stop(self) -> None:
        """Ends the services."""
        for service in self.services:
            service.terminate()
            service.wait(credlink.DEADLINE)
            service.stdout.close()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with a photograph."""
    one = Reader(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(images.saved(photograph("grace-hopper"), "JPEG", quality=90))
    yield one
    one.stop()


def assert_alike(shown: str, real: str) -> None:
    """That a text is what the page shows, but for what is another with each run."""
    for pattern, kind in KINDS:
        shown, real = re.sub(pattern, kind, shown), re.sub(pattern, kind, real)
    assert re.fullmatch(re.escape(shown).replace("…", ".*"), real), f"{shown!r} is shown, {real!r} came"


def assert_shown_is_there(shown: object, real: object, place: str = "") -> None:
    """That everything in the JSON of the page is in the real one. That may have more."""
    assert type(shown) is type(real), f"{place}: {shown!r} is shown, {real!r} came"
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert name in real, f"{place}.{name} is shown and not there"
            if name not in VARIES:
                assert_shown_is_there(value, real[name], f"{place}.{name}")
    elif isinstance(shown, list):
        assert len(shown) <= len(real), f"{place}: more is shown than came"
        for number, value in enumerate(shown):
            assert_shown_is_there(value, real[number], f"{place}[{number}]")
    elif isinstance(shown, str):
        assert_alike(shown, real)
    else:
        assert shown == real, f"{place}: {shown!r} is shown, {real!r} came"


def assert_headers(shown: str, real: str) -> None:
    """That the status is the one of the page, and each header that it shows is there."""
    (shown_status, *lines), (status, *rest) = shown.splitlines(), real.partition("\r\n\r\n")[0].splitlines()
    assert status.strip() == shown_status
    headers = dict(line.split(": ", 1) for line in rest)
    for line in lines:
        name, value = line.split(": ", 1)
        assert name in headers, f"{name} is shown and not there"
        if name not in HEADERS_VARY:
            assert_alike(value, headers[name])


def assert_text(shown: str, real: str) -> None:
    """That each line is the one of the page."""
    shown_lines, lines = shown.splitlines(), real.replace("\r", "").splitlines()
    assert len(lines) == len(shown_lines), real
    for one, other in zip(shown_lines, lines, strict=True):
        assert_alike(one, other)


def test_the_commands_give_what_the_page_shows(reader: Reader):
    for example in examples():
        real = reader.follow(example)
        match example.kind:
            case "json":
                assert_shown_is_there(json.loads(example.answer), json.loads(real), example.command.splitlines()[0])
            case "http":
                assert_headers(example.answer, real)
            case "text":
                assert_text(example.answer, real)
            case kind:
                assert kind is None, f"nobody knows how to compare {kind}"
