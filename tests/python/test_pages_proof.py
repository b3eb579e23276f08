"""The page of a proof: for people it says what the record says, for programs nothing has changed."""

import re
import uuid
from pathlib import Path

from containers import manifest_store
from page_states import photo
from pages import visit


def test_the_page_says_what_the_record_says(browser, paged):
    signed = paged.post_sign(photo())
    uri = signed.headers["X-Proof-Uri"]
    path = uri.removeprefix(paged.url)
    record = paged.session.get(uri, headers={"Accept": "application/json"}).json()
    with visit(browser, paged, path) as page:
        text = page.locator("main").inner_text()
        for value in (uri, record["imageHash"], record["manifestHash"], record["fingerprint"], "JPEG"):
            assert value in text
        page.locator("time .utc").first.wait_for()
        times = page.locator("time").evaluate_all("all => all.map(one => one.dateTime)")
        assert times == [record["createdAt"], record["expiresAt"]]
        assert re.search(r"\d{4}(,| at) \d\d:\d\d CES?T \(.*\d\d:\d\d UTC\)", page.locator("main").inner_text())
        with page.expect_download() as download:
            page.get_by_role("button", name="Download the manifest store").click()
        assert download.value.suggested_filename == f"{record['id']}.c2pa"
        assert Path(download.value.path()).read_bytes() == manifest_store(signed.content)
        page.get_by_role("link", name="verify it").click()
        page.locator("#drop").wait_for()


def test_without_scripts_the_page_says_the_same_and_how_to_go_on(browser, paged):
    uri = paged.post_sign(photo()).headers["X-Proof-Uri"]
    with visit(browser, paged, uri.removeprefix(paged.url), java_script_enabled=False) as page:
        assert re.search(r"signed a picture on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", page.locator("main").inner_text())
        assert "Accept: application/c2pa" in page.locator("main").inner_text()
    for path, command in (("/", "/verify"), ("/sign.html", "/sign")):
        with visit(browser, paged, path, java_script_enabled=False) as page:
            assert "curl -F image=@photo.jpg" in page.locator("noscript").inner_text()
            assert command in page.locator("noscript").inner_text()


def test_an_unknown_proof_has_a_page_for_people_and_json_for_programs(browser, paged):
    for name in (str(uuid.uuid4()), "nonsense"):
        url = f"{paged.url}/proofs/{name}"
        with visit(browser, paged, f"/proofs/{name}") as page:
            assert page.get_by_role("heading", name="There is no such proof").is_visible()
            page.get_by_role("link", name="verify the picture itself").click()
            page.locator("#drop").wait_for()
        shown = paged.session.get(url, headers={"Accept": "text/html"})
        assert shown.status_code == 404 and shown.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in shown.headers["Content-Security-Policy"]
        for accept in ("*/*", "application/json", "application/c2pa"):
            answer = paged.session.get(url, headers={"Accept": accept})
            assert answer.status_code == 404 and answer.json()["error"]["code"] == "PROOF_NOT_FOUND"
