"""docs/deployment.md: what it tells to set is there, and does behind a proxy what it says."""

import json
import re
from pathlib import Path

import credlink
from credlink import ROOT

PAGE = (ROOT / "docs" / "deployment.md").read_text()
TEMPLATE = (ROOT / "template.yaml").read_text()


def settings() -> dict[str, str]:
    """The variables of the unit."""
    return dict(re.findall(r"^Environment=(\w+)=(.*)$", PAGE, re.MULTILINE))


def test_every_parameter_that_is_named_exists() -> None:
    section = TEMPLATE.split("\nParameters:\n")[1].split("\nRules:\n")[0]
    parameters = set(re.findall(r"^  (\w+):$", section, re.MULTILINE))
    on_aws = PAGE.split("\n## On AWS\n")[1].split("\n## On one machine\n")[0]
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)(?:=[^`]*)?`", on_aws))
    outputs = set(re.findall(r"^  (\w+):$", TEMPLATE.split("\nOutputs:\n")[1], re.MULTILINE))
    of_iam = {"PowerUserAccess", "PassRole"}
    assert {"ProofUriDomain", "AlarmEmail", "WebFirewall"} <= named
    assert named - parameters - outputs - of_iam == set()


def test_the_unit_is_right_behind_the_proxy(data: Path) -> None:
    chosen = settings()
    assert chosen.pop("CREDLINK_DATA") == "/var/lib/credlink"
    domain = chosen["PROOF_URI_DOMAIN"].removesuffix("/proofs")
    made = credlink.run("keys", "api", "create", "--name", "desk", "--scope", "sign", "--json", "--data", data)
    headers = {
        "Host": domain.removeprefix("https://"),
        "X-Forwarded-For": "198.51.100.1, 203.0.113.9",
        "X-API-Key": json.loads(made.stdout)["key"],
    }
    announced = {"contentType": "image/jpeg", "contentLength": 1000}
    service = credlink.start(data, data / "log", **chosen)
    try:
        uploads = f"{service.url}/uploads"
        answer = service.session.post(uploads, json=announced, headers=headers, timeout=credlink.DEADLINE)
        assert answer.status_code == 201, answer.text
        assert answer.json()["url"].startswith(f"{domain}/uploads/")
        refused = service.session.post(uploads, json=announced, timeout=credlink.DEADLINE)
        assert refused.status_code == 401
    finally:
        service.stop()
    clients = {json.loads(line).get("client") for line in (data / "log").read_text().splitlines()}
    assert "203.0.113.9" in clients, "what the proxy saw"
    assert "198.51.100.1" not in clients, "what the caller says of itself"
