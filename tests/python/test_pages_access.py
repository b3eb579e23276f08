"""The pages for everybody: by keyboard, read aloud, on a small screen, in the dark; and small themselves.

That every state of an image is told so is tested in `test_pages_verify.py`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

import pages
from credlink import Service
from page_states import STATES, photo
from pages import answer, assert_accessible, choose, refusal, use_up, verified, visit


def test_all_files_together_are_small():
    assert sum(path.stat().st_size for path in pages.FILES) < 60 * 1024


def test_no_file_names_an_address_elsewhere():
    for path in pages.FILES:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "//" not in "".join(line for line in text.splitlines() if "http" in line and "https?:" not in line), path


@pytest.mark.parametrize("path", ["/", "/sign.html", "/proofs/unknown", "proof"])
def test_a_page_is_accessible(browser: Browser, paged: Service, path: str):
    if path == "proof":
        path = paged.post_sign(photo()).headers["X-Proof-Uri"].removeprefix(paged.url)
    with visit(browser, paged, path) as page:
        assert_accessible(page)


def test_problems_are_accessible(browser: Browser, keyed: Callable[..., tuple[Service, str]]):
    service, _ = keyed(RATE_LIMIT_MAX="100", RATE_LIMIT_WINDOW_MS="3600000")
    with visit(browser, service) as page:
        told_when = {
            "asks for an API key": lambda: None,
            "Too many requests": lambda: use_up(service),
            "could not do it": lambda: page.route(
                "**/verify?*", lambda route: refusal(route, 500, "INTERNAL_ERROR", "No.", **{"Retry-After": "9"})
            ),
        }
        for told, happens in told_when.items():
            happens()
            choose(page, photo())
            page.get_by_role("heading", name=told).wait_for()
            assert_accessible(page)
        page.locator("#proof-id").fill("nonsense")
        page.locator("#proof-id").press("Enter")
        assert_accessible(page)
        page.route("**/verify?*", lambda route: None)
        choose(page, photo())
        page.get_by_role("button", name="Cancel").wait_for()
        assert_accessible(page)


def test_a_list_of_pictures_is_accessible(browser: Browser, paged: Service):
    with visit(browser, paged, "/sign.html") as page:
        choose(page, photo("coffee"), b"no picture", photo("chelsea"))
        page.locator("#sign").click()
        page.get_by_text("2 signed, 1 not").wait_for()
        assert_accessible(page)


def focused(page: Page) -> str:
    """What a reader with a keyboard stands on."""
    return page.evaluate("document.activeElement.id || document.activeElement.textContent")


def choose_by_keyboard(page: Page, picture: Path) -> None:
    """Chooses a file with the space bar."""
    page.locator("#file").focus()
    assert focused(page) == "file"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(picture)


def test_everything_is_done_by_keyboard(browser: Browser, paged: Service, tmp_path):
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(STATES["trusted"](paged))
    with visit(browser, paged) as page:
        stops = []
        for _ in range(6):
            page.keyboard.press("Tab")
            stops.append(focused(page))
        assert stops == ["Skip to the content", "Verify", "Sign", "file", "proof-id", "Show"]
        choose_by_keyboard(page, picture)
        assert "Intact" in answer(page)
        assert focused(page) == "result"
        for _ in range(20):
            page.keyboard.press("Tab")
            if focused(page) == "The whole report as JSON":
                break
        assert focused(page) == "The whole report as JSON"
        page.keyboard.press("Enter")
        page.wait_for_function("document.querySelector('details pre').textContent.startsWith('{')", timeout=10_000)
        assert page.locator("pre").inner_text().startswith("{")


def test_signing_is_done_by_keyboard(browser: Browser, paged: Service, tmp_path):
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(photo())
    with visit(browser, paged, "/sign.html") as page:
        choose_by_keyboard(page, picture)
        page.locator("#files li").wait_for()
        page.keyboard.press("Tab")
        assert focused(page) == "Remove"
        page.keyboard.press("Tab")
        assert focused(page) == "creator"
        page.keyboard.type("Jane")
        page.keyboard.press("Enter")
        page.locator("#files li.done").wait_for()


def test_who_wants_no_motion_gets_none(browser: Browser, paged: Service):
    for motion, count in (("reduce", 0), ("no-preference", 1)):
        with visit(browser, paged, reduced_motion=motion) as page:
            page.evaluate("document.getElementById('result').hidden = false")
            assert page.evaluate("document.getElementById('result').getAnimations().length") == count


def test_forced_colours_keep_the_tone(browser: Browser, paged: Service):
    with visit(browser, paged, forced_colors="active") as page:
        verified(page, STATES["tampered"](paged))
        sign = page.locator(".verdict > .sign")
        assert sign.evaluate("one => getComputedStyle(one).stroke") != "none"
        assert page.locator(".verdict .word").is_visible()
