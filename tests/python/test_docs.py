"""The pages in `docs` say what is there: every alarm, every variable, and nothing that is not."""

import re
import subprocess
from pathlib import Path

import pytest

from credlink import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]

NOT_OURS = {"AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "HOSTNAME", "NO_COLOR"}
"""Variables that the system sets, or that other programs heed as well."""

IN_A_SENTENCE = {"CREDLINK_API_KEY"}
"""Variables of single commands: no settings of the service, so they stand in the text and in no table."""

READS = re.compile(
    r"""(?:env::var(?:_os)?\(|\bvariable\(|\b(?:text|parsed|checked|ranged|switch|enabled|limit|one_of)(?:::<\w+>)?\(|\benv = )\s*"([A-Z][A-Z0-9_]+)\""""
)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def files() -> list[str]:
    """Everything that is under version control, or is new."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    return listed.stdout.decode().splitlines()


def without_code(text: str) -> str:
    """The text of a page without what stands in boxes."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The names by which headings are linked to."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alarm_is_described():
    alarms = set(re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm$", (ROOT / "template.yaml").read_text(), re.M))
    assert len(alarms) > 20
    rows = [line.split(" | ") for line in page("operations.md").splitlines() if re.match(r"\| `\w+Alarm`", line)]
    described = [name for row in rows for name in re.findall(r"`(\w+Alarm)`", row[0])]
    assert sorted(described) == sorted(alarms)
    assert all(len(row) == 4 and all(cell.strip(" |") for cell in row) for row in rows), "meaning, deed and trial"


def test_every_variable_is_in_a_table():
    found: dict[str, str] = {}
    for path in files():
        if re.match(r"(lib|cli|functions)/.*\.rs$", path) and "/tests/" not in path:
            code = (ROOT / path).read_text().partition("#[cfg(test)]")[0]
            found |= {name: path for name in READS.findall(code)}
    tables = page("configuration.md") + page("aws.md")
    documented = {
        name
        for line in tables.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([A-Z][A-Z0-9_]{2,})`", line.split(" | ")[0])
    }
    assert {"PORT", "TRUSTED_PROXIES", "ENABLE_PROOF_CLEANUP", "RATE_LIMIT_MAX", "PROOF_TABLE"} <= found.keys()
    documented |= {name for name in IN_A_SENTENCE if f"`{name}`" in tables}
    missing = {name: path for name, path in found.items() if name not in documented | NOT_OURS}
    assert not missing, "these are read and not described"


def test_every_answer_of_the_gateway_is_in_the_table():
    template = (ROOT / "template.yaml").read_text()
    answers = set(re.findall(r'"code":"(\w+)","statusCode":(\d+)', template))
    assert len(answers) > 8
    assert answers - set(re.findall(r"^\| `(\w+)` \| (\d+) \|", page("errors.md"), re.MULTILINE)) == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path):
    text = without_code(path.read_text())
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        other = path.parent / name if name else path
        assert other.exists(), target
        if anchor:
            assert anchor in anchors(other.read_text()), target


@pytest.mark.parametrize("name", ["threat-model.md", "operations.md", "deployment.md"])
def test_files_that_are_named_are_there(name: str):
    known = [f"/{path}" for path in files()]
    for named in re.findall(r"`([\w./-]+)`", without_code(page(name))):
        if re.fullmatch(r"[\w/-]+\.(rs|py|yaml|toml|lock|md)|(lib|tests|web|cli|functions)/[\w/-]+", named):
            end = f"/{named.rstrip('/')}"
            assert any(path.endswith(end) or f"{end}/" in path for path in known), named


def test_the_readme_leads_to_every_page():
    readme = (ROOT / "README.md").read_text()
    missing = [path.name for path in DOCS if f"docs/{path.name}" not in readme]
    assert not missing, "the README does not name these"
