"""The sign page: what comes out of it is what other validators call right, and what is not signed says why."""

import re
from pathlib import Path

import c2pa
import pytest
from playwright.sync_api import Page

import credlink
from images import noise, saved
from page_states import CREATOR, GENERATED, TITLE, photo
from pages import choose, keys_sent, visit
from validators import assert_valid, c2pa_python


def signed(page: Page, count: int = 1) -> None:
    """Presses the button and waits until so many pictures are signed."""
    page.locator("#sign").click()
    page.locator(f"#files li.done >> nth={count - 1}").wait_for()
    page.get_by_text("Download before you leave").wait_for()


def downloaded(page: Page, number: int = 0) -> tuple[str, bytes]:
    """Name and content of a result."""
    with page.expect_download() as download:
        page.locator("#files li").nth(number).get_by_role("link", name="Download").click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_what_is_said_on_the_page_is_in_the_credential(browser, paged):
    with visit(browser, paged, "/sign.html") as page:
        choose(page, photo(), name="ferry.jpeg")
        page.get_by_label("Creator").fill(CREATOR)
        page.get_by_label("Title").fill(TITLE)
        page.get_by_label("What kind of picture it is").select_option(label="Made by generative AI")
        page.get_by_label("May AI models be trained on it?").select_option(label="No")
        signed(page)
        name, image = downloaded(page)
        assert name == "ferry-signed.jpg"
        assert_valid(image, paged.root_pem)
        manifest = c2pa_python(image, paged.root_pem).raw
        manifest = manifest["manifests"][manifest["active_manifest"]]
        about = credlink.assertion(manifest, "cawg.metadata")
        assert (about["dc:creator"], about["dc:title"]) == ([CREATOR], TITLE)
        assert credlink.assertion(manifest, "c2pa.actions.v2")["actions"][0]["digitalSourceType"] == GENERATED
        assert credlink.assertion(manifest, "cawg.training-mining")["entries"]["cawg.ai_training"]["use"] == "notAllowed"
        page.get_by_role("link", name="Proof of ferry-signed.jpg").click()
        page.get_by_role("heading", name="Proof of a signature").wait_for()


def test_what_was_not_said_is_not_asserted(browser, paged):
    with visit(browser, paged, "/sign.html") as page:
        choose(page, photo())
        page.get_by_label("Creator").fill("   ")
        signed(page)
        manifest = c2pa_python(downloaded(page)[1], paged.root_pem).raw
        labels = [one["label"] for one in manifest["manifests"][manifest["active_manifest"]]["assertions"]]
        assert not {"cawg.metadata", "cawg.training-mining"} & set(labels)


def test_several_are_signed_and_each_that_is_not_says_why(browser, paged):
    with visit(browser, paged, "/sign.html") as page:
        choose(page, photo("coffee"), b"GIF89a" + bytes(50), photo("chelsea", kind="WEBP"))
        assert page.locator("#sign").inner_text() == "Sign 3 pictures"
        signed(page, 2)
        states = [one.get_attribute("class") for one in page.locator("#files li").all()]
        assert states == ["done", "failed", "done"]
        assert "not a JPEG, PNG or WebP" in page.locator("#files li.failed").inner_text()
        assert "2 signed, 1 not" in page.locator("#said").inner_text()
        for number in (0, 2):
            assert_valid(downloaded(page, number)[1], paged.root_pem)
        page.get_by_role("button", name="Remove 1-picture.jpg").click()
        assert page.locator("#files li").count() == 2 and page.locator("#sign").is_disabled()


@pytest.mark.parametrize("length", ["over the limit", "20 MB"])
def test_a_long_one_goes_as_an_upload_and_its_result_is_fetched(browser, paged, tmp_path, length):
    side = (2_700, 2_600) if length == "20 MB" else (250, 250)
    file = tmp_path / "long.png"
    file.write_bytes(saved(noise(*side), "PNG", compress_level=0))
    with visit(browser, paged, "/sign.html") as page:
        answers = []
        page.on("response", lambda response: answers.append((response.request.method, response.status)))
        page.set_input_files("#file", file)
        signed(page)
        assert ("PUT", 204) in answers and ("POST", 303) in answers
        assert (("POST", 413) in answers) is (length == "over the limit")
        name, image = downloaded(page)
        assert name == "long-signed.png" and len(image) > file.stat().st_size
        assert_valid(image, paged.root_pem)
        proof = page.get_by_role("link", name="Proof of").get_attribute("href").rpartition("/")[2]
        assert proof in image.decode("latin-1")
        page.get_by_role("link", name="Proof of").click()
        page.get_by_role("heading", name="Proof of a signature").wait_for()


def test_what_stops_one_stops_all_and_they_go_on_after_it(browser, keyed):
    # The refused request counts too: the first image is the second request, and the other one too many.
    limits = {"SIGN_RATE_LIMIT_MAX": "2", "RATE_LIMIT_WINDOW_MS": "3600000"}
    service, key = keyed(**limits)
    with visit(browser, service, "/sign.html") as page:
        keys = keys_sent(page, "/sign")
        choose(page, photo("coffee"), photo("chelsea"))
        page.locator("#sign").click()
        page.get_by_label("API key", exact=True).fill(key)
        page.get_by_role("button", name="Use this key").click()
        page.get_by_text(re.compile(r"in \d+ (s|minutes)\.")).wait_for()
        assert [one.get_attribute("class") for one in page.locator("#files li").all()] == ["done", "waiting"]
        # One that starts anew has counted nothing yet, as after the hour.
        service.stop()
        keyed(service.url.removeprefix("http://"), **limits)
        page.get_by_role("button", name="Try again").click()
        page.locator("#files li.done >> nth=1").wait_for()
        assert keys == [None, key, key, key]


def test_a_refusal_of_what_was_said_names_it(browser, paged):
    with visit(browser, paged, "/sign.html") as page:
        choose(page, photo())
        page.get_by_label("Creator").fill("a\u202eb")
        page.locator("#sign").click()
        page.locator("#files li.failed").wait_for()
        text = page.locator("#files li").inner_text()
        assert "creator" in text.lower() and "U+202E" in text
