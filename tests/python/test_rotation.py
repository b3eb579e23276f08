"""The signing key is replaced, on one machine: what openssl and other validators find, and what a kill leaves."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

import credlink
from credlink import run
from images import corpus
from manifest_store import active_manifest
from validators import assert_valid

SPACES = re.compile(r"\s+")

REQUEST = (
    "Subject: O = CredLink Local, CN = CredLink Local Signer",
    "X509v3 Key Usage: critical Digital Signature, Non Repudiation",
    "X509v3 Extended Key Usage: 1.3.6.1.4.1.62558.2.1, E-mail Protection",
    "X509v3 Basic Constraints: critical CA:FALSE",
)
"""What openssl prints of a request."""

CERTIFICATE = (
    "Version: 3 (0x2)",
    "Signature Algorithm: ecdsa-with-SHA256",
    "Subject: O = CredLink Local, CN = CredLink Local Signer",
    "X509v3 Key Usage: critical Digital Signature, Non Repudiation",
    "X509v3 Extended Key Usage: 1.3.6.1.4.1.62558.2.1, E-mail Protection",
    "X509v3 Basic Constraints: critical CA:FALSE",
    "X509v3 Authority Key Identifier:",
    "X509v3 Subject Key Identifier:",
)
"""What openssl prints of a leaf that the local authority issued."""

LEAF = """basicConstraints=critical,CA:false
keyUsage=critical,digitalSignature,nonRepudiation
extendedKeyUsage=emailProtection,1.3.6.1.4.1.62558.2.1
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""

PHOTO = corpus()["jpeg-exif"]


def openssl(*arguments: str | Path) -> str:
    """Runs openssl, which must succeed; what it printed, with single spaces."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, (arguments, done.stderr.decode())
    return SPACES.sub(" ", done.stdout.decode())


def rotate(data: Path, *arguments: str, **env: str) -> dict:
    """`credlink keys rotate`, which must succeed; its report."""
    done = run("keys", "rotate", "--json", "--data", data, *arguments, env=env)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def history(data: Path) -> list[dict]:
    """Who signed, newest first."""
    done = run("keys", "history", "--json", "--data", data)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def sign(data: Path, folder: Path) -> bytes:
    """A signed image."""
    source, signed = folder / "photo.jpg", folder / "signed.jpg"
    source.write_bytes(PHOTO)
    done = run("sign", source, "-o", signed, "--force", "--data", data)
    assert done.returncode == 0, done.stderr.decode()
    return signed.read_bytes()


def signer_files(data: Path) -> list[Path]:
    """The active signer and all earlier ones."""
    keys = data / "keys"
    return [keys / "signer.pem", *sorted((keys / "previous").glob("signer-*.pem"))]


def assert_matches(signer: Path) -> None:
    """The key in the file is that of its first certificate."""
    of_key = openssl("pkey", "-in", signer, "-pubout")
    assert of_key == openssl("x509", "-in", signer, "-noout", "-pubkey")


def assert_chain(data: Path, signer: Path) -> None:
    """openssl finds a chain from the signer to the local root, as strictly as it can."""
    keys = data / "keys"
    checks = ("-x509_strict", "-purpose", "smimesign", "-CAfile", keys / "root.pem")
    openssl("verify", *checks, "-untrusted", keys / "intermediate.pem", signer)


def assert_nothing_left(data: Path) -> None:
    """No rotation is in progress, and none left a key or a request behind."""
    keys = data / "keys"
    left = [path for folder in ("candidates", "requests") for path in (keys / folder).glob("*")]
    assert left == [] and not list(keys.glob("**/.new-*"))
    state = keys / "rotation.json"
    assert not state.exists() or json.loads(state.read_text())["attempt"] is None


def test_three_rotations_and_images_from_all_four_certificates(tmp_path, data):
    credlink.make_keys(data, "p-256")
    images = [sign(data, tmp_path)]
    for _ in range(3):
        assert rotate(data)["outcome"] == "not-due"
        report = rotate(data, "--force")
        assert report["outcome"] == "rotated" and report["from"]["version"] != report["to"]["version"]
        images.append(sign(data, tmp_path))
    root = (data / "keys" / "root.pem").read_text()
    leaves = set()
    for image in images:
        assert_valid(image, root)
        leaves.add(active_manifest(image).chain[0].serial_number)
    assert len(leaves) == 4
    assert len(signer_files(data)) == 4 and len({entry["key"] for entry in history(data)}) == 4
    for signer in signer_files(data):
        assert_matches(signer)
        assert_chain(data, signer)
        printed = openssl("x509", "-in", signer, "-noout", "-text")
        for expected in CERTIFICATE:
            assert expected in printed, (expected, printed)
    assert_nothing_left(data)


def test_a_running_service_takes_the_new_key(data, tmp_path):
    credlink.make_keys(data, "p-256")
    service = credlink.start(data, tmp_path / "service.log")
    try:
        first = active_manifest(service.sign(PHOTO)).chain[0].serial_number
        rotate(data, "--force")
        deadline = time.monotonic() + credlink.DEADLINE
        while True:
            image = service.sign(PHOTO)
            report = service.verify(image)
            assert report["valid"] and report["state"] == "trusted", report["status"]
            if active_manifest(image).chain[0].serial_number != first:
                break
            assert time.monotonic() < deadline, "the service signs with the earlier key"
        assert_valid(image, service.root_pem)
    finally:
        assert service.stop() == 0


class Elsewhere:
    """An authority that openssl is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.root, self.key = folder / "root.pem", folder / "root.key"
        subject = "/O=Example Trust Services/CN=Example Root"
        usages = ("-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign")
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        openssl("req", "-x509", *curve, *usages, "-subj", subject, "-days", "1000", "-keyout", self.key, "-out", self.root)

    def issue(self, request: Path, extensions: str = LEAF, days: int = 200) -> Path:
        """A certificate for a request."""
        chosen, chain = self.folder / "extensions.cnf", self.folder / "chain.pem"
        chosen.write_text(extensions)
        authority = ("-CA", self.root, "-CAkey", self.key, "-CAcreateserial")
        openssl("x509", "-req", "-in", request, *authority, "-days", days, "-extfile", chosen, "-out", chain)
        return chain


@pytest.mark.parametrize("kind", ["rsa-2048", "p-256", "p-384", "ed25519"])
def test_a_certificate_from_elsewhere(tmp_path, data, kind):
    credlink.make_keys(data, "p-256")
    before = sign(data, tmp_path)
    settings = {"ROTATION_AUTHORITY": "external", "ROTATION_KEY_KIND": kind}
    assert rotate(data, "--force", **settings)["outcome"] == "waiting"
    [request] = (data / "keys" / "requests").glob("*.csr.pem")
    printed = openssl("req", "-in", request, "-noout", "-verify", "-text")
    for expected in REQUEST:
        assert expected in printed, (expected, printed)
    assert rotate(data, **settings)["outcome"] == "waiting", "and it goes on waiting"

    authority = Elsewhere(tmp_path / "elsewhere")
    wrong = authority.issue(request, LEAF.replace("emailProtection,1.3.6.1.4.1.62558.2.1", "serverAuth"))
    refused = run("keys", "import", "--chain", wrong, "--root", authority.root, "--data", data, env=settings)
    assert refused.returncode == 2 and b"extended key usage" in refused.stderr, refused.stderr
    assert request.exists(), "a wrong certificate gives nothing up"

    chain = authority.issue(request)
    done = run("keys", "import", "--chain", chain, "--root", authority.root, "--json", "--data", data, env=settings)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["outcome"] == "rotated"
    assert_matches(data / "keys" / "signer.pem")
    assert_valid(sign(data, tmp_path), authority.root.read_text())
    assert_valid(before, (data / "keys" / "root.pem").read_text())
    assert_nothing_left(data)

    back = run("keys", "rollback", "--json", "--data", data)
    assert back.returncode == 0, back.stderr.decode()
    assert_valid(sign(data, tmp_path), (data / "keys" / "root.pem").read_text())


def test_killed_in_the_middle(tmp_path, data):
    credlink.make_keys(data, "p-256")
    command = [credlink.binary(), "keys", "rotate", "--force", "--data", str(data)]
    environment = credlink.clean_environment()
    begun = time.monotonic()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    lasts = time.monotonic() - begun
    kills = 25
    for number in range(kills):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(lasts * (number + 0.5) / kills)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert_matches(data / "keys" / "signer.pem")
        assert rotate(data)["outcome"] in ("rotated", "not-due")
        assert_matches(data / "keys" / "signer.pem")
        assert_chain(data, data / "keys" / "signer.pem")
        assert_nothing_left(data)
    assert_valid(sign(data, tmp_path), (data / "keys" / "root.pem").read_text())
    entries = history(data)
    assert [entry["active"] for entry in entries] == [True] + [False] * (len(entries) - 1)
    assert len({entry["key"] for entry in entries}) == len(entries), "never the same key twice"


@pytest.mark.parametrize(
    ("edit", "part"),
    [
        (lambda text: text[: len(text) // 2], b"cannot be read"),
        (lambda text: text.replace('"schema": 1', '"schema": 9'), b"has the schema 9"),
        (lambda text: text.replace('"step": "collect"', '"step": "swap"'), b"cannot be read"),
    ],
    ids=["cut off", "newer schema", "another step"],
)
def test_a_state_that_was_edited(data, edit, part):
    credlink.make_keys(data, "p-256")
    rotate(data, "--force", ROTATION_AUTHORITY="external")
    state = data / "keys" / "rotation.json"
    edited = edit(state.read_text())
    state.write_text(edited)
    before = {path: path.read_bytes() for path in (data / "keys").rglob("*") if path.is_file()}
    for arguments in ([], ["--force"], ["--cancel"]):
        done = run("keys", "rotate", *arguments, "--data", data)
        assert done.returncode == 2 and part in done.stderr and b"rotation.json" in done.stderr, done.stderr
        assert done.stderr.count(b"\n") == 1
    assert {path: path.read_bytes() for path in (data / "keys").rglob("*") if path.is_file()} == before
    state.unlink()
    assert len(rotate(data)["upkeep"]["discarded"]) == 1, "the key without an owner is reported"
    assert_nothing_left_but_requests(data)


def assert_nothing_left_but_requests(data: Path) -> None:
    """Without its state, nobody knows whom a request in its folder belongs to."""
    assert list((data / "keys" / "candidates").glob("*")) == []


def test_a_key_of_the_operator_is_left_alone(tmp_path, data):
    credlink.make_keys(data, "p-256")
    signer = data / "keys" / "signer.pem"
    done = run("keys", "rotate", "--force", "--data", tmp_path / "other", env={"SIGNING_CERTIFICATE": str(signer)})
    assert done.returncode == 2 and b"SIGNING_CERTIFICATE" in done.stderr, done.stderr
    bad = run("keys", "rotate", "--data", data, env={"ROTATE_BEFORE_DAYS": "91"})
    assert bad.returncode == 2 and b"ROTATE_BEFORE_DAYS" in bad.stderr and b"from 1 to 90" in bad.stderr, bad.stderr
