"""Who may call the deployed API and how often, where functions may do only what their roles allow."""

import json

import pytest

import credlink
import images
import signing
from stack import Stack, deploy, programs_folder

KEY = "0f0e0d0c-0b0a-4908-8706-050403020100"

LIMIT = 40


@pytest.fixture(scope="module")
def limited(guarded: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack of its own in the AWS that enforces policies: with API keys, and with limits."""
    folder = tmp_path_factory.mktemp("limited")
    chosen = {"EnableApiKeyAuth": "true", "RateLimitMax": str(LIMIT), "SignRateLimitMax": "0"}
    keys = signing.make_keys(guarded.aws)
    chosen["SigningKeyArns"] = ",".join(keys.values())
    one = deploy(guarded.aws, folder, "credlink-limited", programs_folder(), **chosen)
    signing.activate(one, keys["es256"], folder / "authority")
    return one


def api(stack: Stack, *arguments: str):
    table = stack.outputs["ProofTableName"]
    done = credlink.run("keys", "api", *arguments, "--table", table, "--json", env=stack.aws.environment())
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def sign(stack: Stack, picture: bytes, **headers: str):
    files = {"image": ("a.jpg", picture, "image/jpeg")}
    return stack.call("POST", "/sign", files=files, headers=headers)


def test_keys_open_what_they_are_for(limited: Stack) -> None:
    picture = images.saved(images.scene(320, 200), "JPEG")
    refused = sign(limited, picture)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    made = api(limited, "create", "--name", "desk", "--scope", "sign", "--expires", "30")
    assert sign(limited, picture, **{"x-api-key": made["key"]}).status_code == 200
    listed = api(limited, "list")
    assert [key["id"] for key in listed] == [made["id"]]
    verify = limited.call("POST", "/verify", data=picture, headers={"x-api-key": made["key"]})
    assert verify.status_code == 401 and '"verify"' in verify.json()["error"]["message"]
    assert limited.call("GET", "/health").status_code == 200
    assert api(limited, "revoke", made["id"])["state"] == "revoked"


def test_a_repeated_request_gets_the_same_image(limited: Stack) -> None:
    key = api(limited, "create", "--name", "agency", "--scope", "sign")["key"]
    picture = images.saved(images.scene(320, 200), "JPEG")
    headers = {"x-api-key": key, "Idempotency-Key": KEY}
    first, again = (sign(limited, picture, **headers) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200), again.text
    assert first.content == again.content
    other = sign(limited, images.saved(images.scene(200, 320), "JPEG"), **headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "IDEMPOTENCY_CONFLICT")
    broken = sign(limited, picture[:100], **headers | {"Idempotency-Key": "another"})
    assert broken.status_code == 400
    assert sign(limited, picture, **headers | {"Idempotency-Key": "another"}).status_code == 200


def test_all_functions_count_together(limited: Stack) -> None:
    answers = []
    for _ in range(2 * LIMIT):
        answers += [limited.call("GET", "/proofs/x"), limited.call("POST", "/verify", data=b"")]
        if {answer.status_code for answer in answers[-2:]} == {429}:
            break
    assert {answer.status_code for answer in answers[-2:]} == {429}
    passed = [answer for answer in answers if answer.status_code != 429]
    assert len(passed) <= 2 * LIMIT, "together they passed more than two windows hold"
    refused = answers[-1]
    assert refused.json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Limit"] == str(LIMIT)
    assert limited.call("GET", "/health").status_code == 200


def test_nothing_was_denied(limited: Stack) -> None:
    """Stands last: a limiter that is down lets everybody pass, and only logs it."""
    for function in ("sign", "verify", "proofs"):
        lines = limited.logs(function)
        assert [line for line in lines if "AccessDenied" in line or "nobody is refused" in line] == [], function
