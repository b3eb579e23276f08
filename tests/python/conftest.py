"""What the tests share: data folders with keys, and running services."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

import credlink
import page_states
import pages
from credlink import Service


@pytest.fixture(scope="session", autouse=True)
def _home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Other validators keep preferences in the user's configuration folder; not in the real one."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Service]]:
    """The running service with keys of an algorithm; started when it is first asked for."""
    running: dict[str, Service] = {}

    def service(algorithm: str) -> Service:
        if algorithm not in running:
            data = tmp_path_factory.mktemp(f"data-{algorithm}")
            credlink.make_keys(data, algorithm)
            running[algorithm] = credlink.start(data, data / "service.log")
        return running[algorithm]

    yield service
    for one in running.values():
        one.stop()


@pytest.fixture(scope="session")
def service(services: Callable[[str], Service]) -> Service:
    """A running service, where the algorithm does not matter."""
    return services("p-256")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An empty data folder."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A browser without a window and without a past."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=pages.chromium(), args=pages.FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def paged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for its pages: as on AWS it takes only short images inside of requests. It trusts whom
    `page_states` trusts."""
    data = tmp_path_factory.mktemp("pages")
    credlink.make_keys(data, "p-256")
    (data / "anchors.pem").write_text(page_states.anchors())
    (data / "stamps.pem").write_text(page_states.stamp_anchors())
    service = credlink.start(
        data,
        data / "service.log",
        INLINE_LIMIT_BYTES=str(pages.INLINE_LIMIT),
        TRUST_ANCHORS=str(data / "anchors.pem"),
        TSA_ANCHORS=str(data / "stamps.pem"),
        REVOCATION_FETCH="false",
    )
    yield service
    service.stop()


@pytest.fixture
def keyed(data: Path) -> Iterator[Callable[..., tuple[Service, str]]]:
    """Starts a service that asks for API keys; gives it and a good key."""
    running: list[Service] = []

    def start(listen: str = "127.0.0.1:0", **env: str) -> tuple[Service, str]:
        made = credlink.run("keys", "api", "create", "--name", "page", "--scope", "sign,verify", "--json", "--data", data)
        assert made.returncode == 0, made.stderr.decode()
        chosen = {"ENABLE_API_KEY_AUTH": "true", "REVOCATION_FETCH": "false"} | env
        running.append(credlink.start(data, data / "service.log", listen, **chosen))
        return running[-1], json.loads(made.stdout)["key"]

    credlink.make_keys(data, "p-256")
    yield start
    for service in running:
        service.stop()
