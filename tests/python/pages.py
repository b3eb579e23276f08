"""Driving the pages in a real browser, and writing down what they must not do."""

import functools
import importlib.resources
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, Route

from credlink import DEADLINE, ROOT, Service

INLINE_LIMIT = 131_072
"""The longest image inside of a request to the service whose pages are tested."""

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PHONE = {"width": 320, "height": 640}
"""The smallest screen that is read on."""

FILES = sorted((ROOT / "web").iterdir())
"""Everything that the pages are made of."""


def chromium() -> str:
    """The browser of the system; none is ever downloaded."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "the pages are tested in Chromium: install the package chromium"
    return path


@contextmanager
def visit(browser: Browser, service: Service, path: str = "/", **options) -> Iterator[Page]:
    """A page of the service. In the end it must have asked nobody else for anything and have logged no fault."""
    faults: list[str] = []
    context = browser.new_context(locale="en-GB", timezone_id="Europe/Berlin", **options)
    context.set_default_timeout(DEADLINE * 1000)
    page = context.new_page()
    page.on("request", lambda request: faults.extend(_elsewhere(request.url, service)))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.extend(_fault(line.type, line.text)))
    try:
        page.goto(f"{service.url}{path}")
        # From now on a dialog for files is an event: whoever asks for that only when a key is pressed may be too late.
        page.on("filechooser", lambda _: None)
        yield page
        assert not faults, faults
    finally:
        context.close()


def _elsewhere(url: str, service: Service) -> list[str]:
    return [] if url.startswith((f"{service.url}/", f"blob:{service.url}/")) else [f"a request to {url}"]


def _fault(kind: str, text: str) -> list[str]:
    """A refusal by the service is no fault of the page, but browsers log it as one."""
    return [text] if kind in ("error", "warning") and not text.startswith("Failed to load resource") else []


def choose(page: Page, *images: bytes, name: str = "picture.jpg", kind: str = "image/jpeg") -> None:
    """Chooses files, as after a click on the button."""
    many = len(images) > 1
    names = [f"{number}-{name}" if many else name for number in range(len(images))]
    page.set_input_files("#file", [{"name": n, "mimeType": kind, "buffer": i} for n, i in zip(names, images, strict=True)])


def answer(page: Page) -> str:
    """What the verify page says in the end, all of it."""
    page.locator("#result").wait_for()
    return page.locator("#result").inner_text()


def verified(page: Page, image: bytes) -> str:
    """What the verify page says of an image."""
    choose(page, image)
    return answer(page)


def assert_accessible(page: Page) -> None:
    """There is nothing for axe to find, in the light and in the dark, and nothing to scroll sideways for on a phone."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    assert _violations(page) == []
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert _violations(page, "color-contrast") == []
    wide = page.viewport_size
    page.set_viewport_size(PHONE)
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    page.set_viewport_size(wide)


def _violations(page: Page, *rules: str) -> list[str]:
    """What axe finds wrong; of these rules alone where some are named."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe())
    only = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found = page.evaluate("options => axe.run(options)", {"resultTypes": ["violations"], **only})["violations"]
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]]


@functools.cache
def _axe() -> str:
    return importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()


def keys_sent(page: Page, path: str) -> list[str | None]:
    """The API keys that the page sends to an address of the service from now on."""
    keys: list[str | None] = []

    def note(request: Request) -> None:
        if request.method == "POST" and urlsplit(request.url).path == path:
            keys.append(request.headers.get("x-api-key"))

    page.on("request", note)
    return keys


def use_up(service: Service) -> None:
    """Asks for so much that the service takes nothing more from this machine."""
    while service.session.get(f"{service.url}/proofs/x", timeout=DEADLINE).status_code != 429:
        pass


def refusal(route: Route, status: int, code: str, message: str, **headers: str) -> None:
    """Answers a request in the place of the service, in its envelope."""
    error = {"message": message, "code": code, "statusCode": status, "requestId": "request-1", "details": {}}
    route.fulfill(status=status, json={"error": error}, headers=headers)
