"""The verify page: every state that an image can be in is told in words, and none is taken for another."""

import io
import json
import re

import pytest

import credlink
import pages
from images import noise, saved
from page_states import CRAFTED, CREATOR, STATES, TITLE, photo, trusted
from pages import answer, assert_accessible, choose, keys_sent, refusal, use_up, verified, visit

SAYS = {
    "trusted": ("good", "Intact", "the signer is known", CREATOR, TITLE, "Yes", "100 of 100", "not allowed", "CredLink Local"),
    "generated": ("good", "Intact", "Made by generative AI, says the signer", "made by generative AI"),
    "plain": ("good", "Intact", "Opened an existing picture", "Had no credential"),
    "signed_twice": ("good", "Intact", "Parts of it were made with generative AI", "Cat, as taken", "Astronaut"),
    "tampered": ("bad", "Not valid", "was changed after it was signed", "assertion.dataHash.mismatch", "70 of 100"),
    "stripped": ("again", "Recovered", "was removed, but it is kept here, and it fits", "but for the credential", "95 of 100"),
    "reencoded": ("doubt", "Changed", "changed or saved again", "looks the same"),
    "damaged": ("doubt", "Damaged", "The credential is damaged, the picture is not", "com.credlink.store.damaged"),
    "original": ("again", "Known here", "the very file that was signed here"),
    "replaced": ("alarm", "ALARM", "not the credential that was made for this picture", "Do not rely on anything"),
    "exchanged": ("alarm", "ALARM", "uses the proof of another picture", "Do not rely on anything"),
    "unsigned": ("none", "No credential", "carries no credential", "nothing for or against it", "0 of 100"),
    "unknown": ("doubt", "Signer unknown", "nobody here knows by whom", "Studio Elsewhere", "does not vouch for it"),
    "stamped": ("good", "Intact", "certified by a time-stamp authority", "the time of the trusted time-stamp"),
    "expired": ("bad", "Not valid", "nothing shows that it was valid when it signed", "claimSignature.outsideValidity"),
    "crafted": ("good", "Intact", "<img src=x onerror=alert(1)>⟨U+202E⟩gnp.exe⟨U+2066⟩"),
    "history": ("good", "Intact", "Placed another picture into it", "Color adjustments", "Its credential held"),
    "legacy": ("good", "Intact", "CredLink’s first system", 'Ada "A" L.', "Café – sea", "RS256"),
}
"""The tone of the verdict, the word for it, and what else has to stand in the answer."""


def test_every_state_has_its_row():
    assert set(SAYS) == set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_told_to_everybody(browser, paged, state):
    tone, word, *says = SAYS[state]
    with visit(browser, paged) as page:
        text = verified(page, STATES[state](paged))
        assert tone in page.locator(".verdict").get_attribute("class").split()
        assert page.locator(".verdict .word").inner_text() == word
        for fragment in says:
            assert fragment in text, text
        assert page.evaluate("document.activeElement.id") == "result"
        page.get_by_text("The whole report as JSON").click()
        assert_accessible(page)


def test_tones_differ_in_more_than_colour(browser, paged):
    shapes = set()
    with visit(browser, paged) as page:
        for state in ("trusted", "stripped", "damaged", "tampered", "unsigned", "exchanged"):
            verified(page, STATES[state](paged))
            path = page.locator(".verdict > .sign path").get_attribute("d")
            border = page.locator(".verdict").evaluate("card => getComputedStyle(card).borderLeftStyle + getComputedStyle(card).borderTopWidth")
            shapes.add((path, border))
    assert len(shapes) == 6


def test_the_history_is_a_tree_with_pictures(browser, paged):
    with visit(browser, paged) as page:
        verified(page, STATES["signed_twice"](paged))
        assert page.locator(".part > .tree > li").count() == 1
        assert page.locator(".tree .tree > li").count() == 2
        page.wait_for_function("[...document.querySelectorAll('.tree img')].length === 3")
        sizes = page.locator(".tree img").evaluate_all("all => Promise.all(all.map(one => one.decode().then(() => one.naturalWidth)))")
        assert all(0 < width <= 1024 for width in sizes)


def test_pictures_come_to_those_alone_who_ask(paged):
    image = STATES["history"](paged)
    ask = {"data": image, "headers": {"Content-Type": "image/jpeg"}, "timeout": credlink.DEADLINE}
    plain = paged.session.post(f"{paged.url}/verify", **ask).json()
    assert all("thumbnail" not in entry for entry in plain["ingredients"])
    asked = paged.session.post(f"{paged.url}/verify?thumbnails=true", **ask).json()
    pictures = [entry.pop("thumbnail") for entry in asked["ingredients"]]
    assert [picture["contentType"] for picture in pictures] == ["image/jpeg", "image/jpeg"]
    assert asked["ingredients"] == plain["ingredients"]


def test_the_time_is_told_in_the_readers_zone_and_in_utc(browser, paged):
    with visit(browser, paged) as page:
        text = verified(page, trusted(paged))
        assert re.search(r"\d{1,2} \w+ \d{4}(,| at) \d\d:\d\d CES?T \(.*\d\d:\d\d UTC\)", text), text


def test_nothing_from_an_image_becomes_markup(browser, paged):
    with visit(browser, paged) as page:
        verified(page, STATES["crafted"](paged))
        assert page.locator("#result img:not(.picture)").count() == 0
        assert "\u202e" not in page.locator("#result").inner_text()
        more = page.get_by_role("button", name="Show all 10000 characters")
        assert page.locator("#result").inner_text().count("long long") < 100
        more.click()
        assert page.locator("#result").inner_text().count("long") >= 2_000


def test_the_report_can_be_read_copied_and_saved(browser, paged):
    with visit(browser, paged, permissions=["clipboard-read", "clipboard-write"]) as page:
        verified(page, STATES["crafted"](paged))
        page.get_by_text("The whole report as JSON").click()
        page.locator("pre").wait_for()
        assert "\u202e" not in page.locator("pre").inner_text()
        page.get_by_role("button", name="Copy").click()
        page.get_by_text("Copied.").wait_for()
        copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        with open(download.value.path(), encoding="utf-8") as file:
            assert json.load(file) == copied
        assert credlink.assertion(copied["manifest"], "cawg.metadata")["dc:title"] == CRAFTED


def test_a_picture_is_taken_from_a_drop_and_from_the_clipboard(browser, paged):
    give = """([bytes, event]) => {
        const file = new File([Uint8Array.from(bytes)], 'given.png', { type: 'image/png' });
        const data = new DataTransfer();
        data.items.add(file);
        const init = { bubbles: true, cancelable: true };
        const made = event === 'paste' ? new ClipboardEvent(event, { ...init, clipboardData: data }) : new DragEvent(event, { ...init, dataTransfer: data });
        document.getElementById('drop').dispatchEvent(made);
        return made.defaultPrevented;
    }"""
    image = list(paged.sign(photo("coffee", 64, "PNG")))
    for event in ("drop", "paste"):
        with visit(browser, paged) as page:
            assert page.evaluate(give, [image, event]) is (event == "drop")
            assert "Intact" in answer(page)


def test_an_image_on_the_real_clipboard_is_pasted(browser, paged):
    with visit(browser, paged, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.evaluate(
            "bytes => navigator.clipboard.write([new ClipboardItem({ 'image/png': new Blob([Uint8Array.from(bytes)], { type: 'image/png' }) })])",
            list(photo("coffee", 64, "PNG")),
        )
        page.keyboard.press("Control+V")
        assert "No credential" in answer(page)


def test_an_image_over_the_limit_goes_as_an_upload(browser, paged):
    image = paged.sign(photo("astronaut", 120))
    padded = image + bytes(pages.INLINE_LIMIT)
    with visit(browser, paged) as page:
        requests = []
        page.on("request", lambda request: requests.append((request.method, request.url.removeprefix(paged.url).split("?")[0])))
        assert "Not valid" in verified(page, padded)
        assert [method for method, _ in requests if method != "GET"] == ["POST", "POST", "PUT", "POST"]


def test_a_very_large_image_is_not_sent_twice(browser, paged, tmp_path):
    large = tmp_path / "large.png"
    large.write_bytes(saved(noise(2_700, 2_600, seed=2), "PNG", compress_level=0))
    assert large.stat().st_size > 20 << 20
    with visit(browser, paged) as page:
        requests = []
        page.on("request", lambda request: requests.append(request.method))
        page.set_input_files("#file", large)
        page.get_by_text(re.compile("Sending|Checking")).wait_for()
        assert "No credential" in answer(page)
        assert [method for method in requests if method != "GET"] == ["POST", "PUT", "POST"]


def test_what_is_no_picture_is_refused_in_words(browser, paged):
    with visit(browser, paged) as page:
        for content in (b"GIF89a" + bytes(100), b"", b"just text"):
            choose(page, content, name="file.gif", kind="image/gif")
            assert "not a JPEG, PNG or WebP" in answer(page)
        assert "Try again" not in answer(page)


def test_a_service_that_is_gone_is_told_and_can_be_asked_again(browser, tmp_path, data):
    credlink.make_keys(data, "p-256")
    service = credlink.start(data, tmp_path / "log")
    try:
        with visit(browser, service) as page:
            service.stop()
            assert "The service cannot be reached" in verified(page, photo())
            page.locator("#proof-id").fill("123e4567-e89b-42d3-a456-426614174000")
            page.get_by_role("button", name="Show", exact=True).click()
            page.get_by_text("The service cannot be reached").wait_for()
            page.get_by_role("button", name="Try again").click()
            assert "The service cannot be reached" in answer(page)
    finally:
        service.process.kill()


def test_a_failure_of_the_service_is_told_with_its_number(browser, paged):
    with visit(browser, paged) as page:
        broken = "**/verify?*"
        page.route(broken, lambda route: refusal(route, 503, "SERVICE_UNAVAILABLE", "The service is busy.", **{"Retry-After": "5"}))
        text = verified(page, photo())
        assert "The service is busy." in text and "in 5 s" in text and "request-1" in text
        page.unroute(broken)
        page.get_by_role("button", name="Try again").click()
        page.locator(".verdict:not(.problem)").wait_for()


def test_who_is_limited_is_told_until_when(browser, keyed):
    service, _ = keyed(ENABLE_API_KEY_AUTH="false", RATE_LIMIT_MAX="100", RATE_LIMIT_WINDOW_MS="3600000")
    with visit(browser, service) as page:
        use_up(service)
        text = verified(page, photo())
        assert "Too many requests for now" in text
        assert re.search(r"Try again at \d\d:\d\d:\d\d, in \d+ (s|minutes)", text)


def test_a_key_is_asked_for_and_kept_in_the_page_only(browser, keyed):
    service, right = keyed()
    with visit(browser, service) as page:
        keys = keys_sent(page, "/verify")
        assert "asks for an API key" in verified(page, photo())
        for key in ("wrong", right):
            page.get_by_label("API key", exact=True).fill(key)
            with page.expect_response("**/verify?*"):
                page.get_by_role("button", name="Use this key").click()
            page.locator(".verdict:not(.problem)" if key == right else ".verdict.problem").wait_for()
            answer(page)
        assert keys == [None, "wrong", right]
        stored = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie.length]")
        assert stored == [0, 0, 0]


def test_a_proof_is_shown_by_its_id_and_by_its_address(browser, paged):
    uri = paged.post_sign(photo()).headers["X-Proof-Uri"]
    with visit(browser, paged) as page:
        for asked in (uri, uri.rpartition("/")[2], uri.rpartition("/")[2].upper()):
            page.locator("#proof-id").fill(asked)
            page.locator("#proof-id").press("Enter")
            text = answer(page)
            assert "There is such a proof" in text and uri in text
        page.get_by_role("link", name="Open its page").click()
        page.get_by_role("heading", name="Proof of a signature").wait_for()


def test_a_proof_that_is_not_here_says_so_and_no_stranger_is_asked(browser, paged):
    unknown = "123e4567-e89b-42d3-a456-426614174000"
    with visit(browser, paged) as page:
        for asked, said in (
            (unknown, "It may have expired"),
            (f"https://proofs.example.com/{unknown}", "belongs to proofs.example.com"),
        ):
            page.locator("#proof-id").fill(asked)
            page.get_by_role("button", name="Show", exact=True).click()
            page.get_by_text(said).wait_for()
        page.locator("#proof-id").fill("no such thing")
        page.get_by_role("button", name="Show", exact=True).click()
        assert "looks like" in page.locator("#proof-error").inner_text()
        assert page.locator("#proof-id").get_attribute("aria-invalid") == "true"


def test_a_newer_picture_takes_the_place_of_an_older_one(browser, paged):
    with visit(browser, paged) as page:
        held = []
        page.route("**/verify?*", lambda route: held.append(route) if not held else route.continue_())
        with page.expect_request("**/verify?*"):
            choose(page, STATES["tampered"](paged))
        assert "No credential" in verified(page, STATES["unsigned"](paged))


def test_work_can_be_cancelled(browser, paged):
    with visit(browser, paged) as page:
        page.route("**/verify?*", lambda route: None)
        choose(page, photo())
        page.get_by_role("button", name="Cancel").click()
        page.locator("#work").wait_for(state="hidden")
        assert page.locator("#result").is_hidden()


def test_a_report_can_be_printed(browser, paged):
    with visit(browser, paged) as page:
        verified(page, trusted(paged))
        page.emulate_media(media="print")
        assert page.locator("#intake").is_hidden() and page.locator(".verdict").is_visible()
        assert len(io.BytesIO(page.pdf()).getvalue()) > 1_000
