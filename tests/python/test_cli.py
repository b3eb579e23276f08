"""The commands, as a person or a script calls them."""

import datetime
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import credlink
from credlink import ALGORITHMS, COSE_NAMES, run
from images import corpus
from manifest_store import active_manifest
from validators import assert_valid

FORMATS = {"jpg": "jpeg-exif-xmp-icc", "png": "png-texts", "webp": "webp-everything"}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph on disk."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(corpus()["jpeg-exif"])
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_sign_and_verify(tmp_path, data, suffix):
    source, signed = tmp_path / f"photo.{suffix}", tmp_path / f"signed.{suffix}"
    source.write_bytes(corpus()[FORMATS[suffix]])
    done = run("sign", source, "-o", signed, "--creator", "Somebody", "--title", "Something", "--data", data)
    assert done.returncode == 0, done.stderr.decode()
    assert_valid(signed.read_bytes(), (data / "keys" / "root.pem").read_text())
    assert source.read_bytes() == corpus()[FORMATS[suffix]]
    done = run("verify", signed, "--data", data)
    assert done.returncode == 0, done.stderr.decode()
    assert b"valid" in done.stdout.lower()


def test_verify_answers_in_json(tmp_path, data, photo):
    signed = tmp_path / "signed.jpg"
    assert run("sign", photo, "-o", signed, "--data", data).returncode == 0
    done = run("verify", signed, "--json", "--data", data)
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["valid"] is True and report["confidence"] == 100 and report["state"] == "trusted"


def test_verify_says_no_with_status_1(tmp_path, data, photo):
    signed = tmp_path / "signed.jpg"
    assert run("sign", photo, "-o", signed, "--data", data).returncode == 0
    changed = bytearray(signed.read_bytes())
    changed[-10] ^= 1
    signed.write_bytes(changed)
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(corpus()["png-palette"])
    for image in (signed, stranger):
        done = run("verify", image, "--json", "--data", data)
        assert done.returncode == 1
        assert json.loads(done.stdout)["valid"] is False


def test_an_image_from_before_it_was_signed_is_known(tmp_path, data, photo):
    assert run("sign", photo, "-o", tmp_path / "signed.jpg", "--data", data).returncode == 0
    done = run("verify", photo, "--json", "--data", data)
    report = json.loads(done.stdout)
    assert (done.returncode, report["valid"], report["state"]) == (0, True, "trusted")
    assert report["extraction"]["source"] == "none" and not report["extraction"]["corrupted"]
    assert {row["check"]: row["points"] for row in report["score"]}["proofsMatch"] == 0
    assert "com.credlink.store.recovered" in [status["code"] for status in report["status"]]


def test_signed_here_is_known_to_the_service_and_the_other_way(tmp_path, data, photo):
    signed = tmp_path / "signed.jpg"
    assert run("sign", photo, "-o", signed, "--data", data).returncode == 0
    service = credlink.start(data, tmp_path / "service.log")
    try:
        assert service.verify(signed.read_bytes())["confidence"] == 100
        (tmp_path / "other.jpg").write_bytes(service.sign(corpus()["jpeg-grey"]))
    finally:
        assert service.stop() == 0
    report = json.loads(run("verify", tmp_path / "other.jpg", "--json", "--data", data).stdout)
    assert report["confidence"] == 100


def test_standard_input_and_output(data):
    done = run("sign", "-", "-o", "-", "--data", data, stdin=corpus()["png-texts"])
    assert done.returncode == 0, done.stderr.decode()
    assert_valid(done.stdout, (data / "keys" / "root.pem").read_text())
    done = run("verify", "-", "--json", "--data", data, stdin=done.stdout)
    assert done.returncode == 0
    assert json.loads(done.stdout)["valid"] is True


def test_all_options_of_sign(tmp_path, data, photo):
    signed, assertions = tmp_path / "signed.jpg", tmp_path / "assertions.json"
    assertions.write_text(json.dumps([{"label": "com.example.desk", "data": {"id": 7}}]))
    done = run(
        "sign", photo, "-o", signed, "--creator", "Zoë 山田", "--title", "Harbour",
        "--digital-source-type", "digitalCapture", "--assertions", assertions, "--data", data,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    manifest = active_manifest(signed.read_bytes())
    assert manifest.assertions["cawg.metadata"]["dc:creator"] == ["Zoë 山田"]
    assert manifest.assertions["com.example.desk"] == {"id": 7}
    assert manifest.assertions["c2pa.actions.v2"]["actions"][0]["action"] == "c2pa.created"


def test_never_overwrites(tmp_path, data, photo):
    taken = tmp_path / "taken.jpg"
    taken.write_bytes(b"precious")
    done = run("sign", photo, "-o", taken, "--data", data)
    assert done.returncode == 2
    assert taken.read_bytes() == b"precious"
    assert b"taken.jpg" in done.stderr
    before = photo.read_bytes()
    assert run("sign", photo, "-o", photo, "--data", data).returncode == 2
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["sign"],
        ["sign", "absent.jpg", "-o", "out.jpg"],
        ["sign", "photo.jpg", "-o", "absent/out.jpg"],
        ["sign", "photo.jpg", "-o", "out.jpg", "--digital-source-type", "photograph"],
        ["sign", "photo.jpg", "-o", "out.jpg", "--creator", "some\nbody"],
        ["sign", "photo.jpg", "-o", "out.jpg", "--assertions", "absent.json"],
        ["sign", "text.jpg", "-o", "out.jpg"],
        ["verify"],
        ["verify", "absent.jpg"],
        ["verify", "text.jpg"],
        ["verify", "photo.jpg", "--trust-anchors", "absent.pem"],
        ["verify", "photo.jpg", "--trust-anchors", "text.jpg"],
        ["verify", "photo.jpg", "--tsa-anchors", "absent.pem"],
        ["verify", "photo.jpg", "--tsa-anchors", "text.jpg"],
        ["verify", "photo.jpg", "--at", "yesterday"],
        ["serve", "--listen", "nowhere"],
        ["keys", "init", "--algorithm", "rsa-1024"],
    ],
    ids=" ".join,
)
def test_usage_and_environment_end_with_status_2(tmp_path, photo, arguments):
    (tmp_path / "text.jpg").write_text("This is not an image.")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stderr.strip()
    assert b"panicked" not in done.stderr
    assert not (tmp_path / "out.jpg").exists()


def test_help_shows_examples():
    for command in ([], ["serve"], ["sign"], ["verify"], ["keys"]):
        done = run(*command, "--help")
        assert done.returncode == 0
        assert b"credlink" in done.stdout
        assert b"\x1b[" not in done.stdout, "colour is for terminals"
    assert b"credlink sign photo.jpg" in run("sign", "--help").stdout


def test_data_folder_by_environment_and_by_default(tmp_path, photo):
    signed = tmp_path / "signed.jpg"
    done = run("sign", photo, "-o", signed, env={"CREDLINK_DATA": str(tmp_path / "by-env")}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "by-env" / "keys" / "root.pem").exists()
    done = run("sign", photo, "-o", tmp_path / "signed-2.jpg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert (tmp_path / "credlink-data" / "keys" / "root.pem").exists()


def test_another_trust_anchor(tmp_path, data, photo):
    signed = tmp_path / "signed.jpg"
    assert run("sign", photo, "-o", signed, "--data", data).returncode == 0
    stranger = tmp_path / "stranger"
    credlink.make_keys(stranger, "p-256")
    unknown = json.loads(run("verify", signed, "--json", "--data", stranger).stdout)
    assert unknown["state"] == "valid"
    anchors = data / "keys" / "root.pem"
    known = run("verify", signed, "--json", "--trust-anchors", anchors, "--data", stranger)
    assert json.loads(known.stdout)["state"] == "trusted"
    assert known.returncode == 0


def test_at_another_time(tmp_path, data, photo):
    signed = tmp_path / "signed.jpg"
    assert run("sign", photo, "-o", signed, "--data", data).returncode == 0
    done = run("verify", signed, "--json", "--at", "2099-01-01T00:00:00Z", "--data", data)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["details"]["certificateValid"] is False
    assert report["certificate"]["evaluatedAt"].startswith("2099-01-01")


# Keys


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_keys_init_and_show(data, algorithm):
    credlink.make_keys(data, algorithm)
    files = [path for path in (data / "keys").rglob("*") if path.is_file()]
    private = [path for path in files if b"PRIVATE KEY" in path.read_bytes()]
    assert private
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in private)
    shown = run("keys", "show", "--json", "--data", data)
    assert shown.returncode == 0, shown.stderr.decode()
    assert COSE_NAMES[algorithm] in json.dumps(json.loads(shown.stdout)).lower()
    assert b"PRIVATE" not in shown.stdout
    assert run("keys", "show", "--data", data).returncode == 0


def test_keys_init_does_not_replace_keys(data):
    credlink.make_keys(data, "p-256")
    before = {path: path.read_bytes() for path in (data / "keys").rglob("*") if path.is_file()}
    done = run("keys", "init", "--algorithm", "p-384", "--data", data)
    assert done.returncode == 2
    assert {path: path.read_bytes() for path in (data / "keys").rglob("*") if path.is_file()} == before


def test_default_is_rsa_2048(tmp_path, data, photo):
    signed = tmp_path / "signed.jpg"
    assert run("sign", photo, "-o", signed, "--data", data).returncode == 0
    leaf = active_manifest(signed.read_bytes()).chain[0]
    assert leaf.public_key().key_size == 2048


# Keys that openssl made

LEAF = """basicConstraints=critical,CA:false
keyUsage=critical,digitalSignature
extendedKeyUsage=emailProtection,1.3.6.1.4.1.62558.2.1
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""

AUTHORITY = """basicConstraints=critical,CA:true
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""

KEYS = {
    "rsa-2048": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "p-256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p-384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ed25519": ["-algorithm", "ED25519"],
}


class Chain:
    """Root, intermediate and leaf as files, made by openssl."""

    def __init__(self, folder: Path, kind: str = "p-256", leaf: str = LEAF, days: int = 180) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._certificate("root", kind, "root", AUTHORITY, 3650)
        self._certificate("intermediate", kind, "root", AUTHORITY, 1825)
        self._certificate("leaf", kind, "intermediate", leaf, days)
        self.key = folder / "leaf.key"
        self.root = folder / "root.pem"

    def pem(self, *names: str) -> Path:
        """A file with these certificates in this order."""
        path = self.folder / ("-".join(names) + ".chain")
        path.write_text("".join((self.folder / f"{name}.pem").read_text() for name in names))
        return path

    def _certificate(self, name: str, kind: str, issuer: str, extensions: str, days: int) -> None:
        key, request, out = (self.folder / f"{name}.{suffix}" for suffix in ("key", "csr", "pem"))
        (self.folder / f"{name}.ext").write_text(extensions)
        openssl("genpkey", *KEYS[kind], "-out", key)
        openssl("req", "-new", "-key", key, "-subj", f"/C=XX/O=Example/CN={name}", "-out", request)
        signed_by = (
            ["-signkey", key]
            if issuer == name
            else ["-CA", self.folder / f"{issuer}.pem", "-CAkey", self.folder / f"{issuer}.key", "-CAcreateserial"]
        )
        openssl(
            "x509", "-req", "-in", request, *signed_by, "-days", str(days),
            "-extfile", self.folder / f"{name}.ext", "-out", out,
        )  # fmt: skip


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def import_keys(data: Path, chain: Path, key: Path) -> subprocess.CompletedProcess:
    return run("keys", "import", "--chain", chain, "--key", key, "--data", data)


@pytest.mark.parametrize("kind", KEYS)
def test_import_a_chain_of_openssl(tmp_path, data, photo, kind):
    made = Chain(tmp_path / "chain", kind)
    done = import_keys(data, made.pem("leaf", "intermediate", "root"), made.key)
    assert done.returncode == 0, done.stderr.decode()
    signed = tmp_path / "signed.jpg"
    assert run("sign", photo, "-o", signed, "--data", data).returncode == 0
    image = signed.read_bytes()
    assert_valid(image, made.root.read_text())
    subjects = [certificate.subject.rfc4514_string() for certificate in active_manifest(image).chain]
    assert ["leaf" in subjects[0], "intermediate" in subjects[1], len(subjects)] == [True, True, 2]
    assert run("verify", signed, "--data", data, "--trust-anchors", made.root).returncode == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Chain:
    return Chain(tmp_path_factory.mktemp("chain"))


def refused_import(data: Path, chain: Path, key: Path) -> str:
    done = import_keys(data, chain, key)
    message = done.stderr.decode()
    assert done.returncode == 2, (done.stdout, message)
    assert "panicked" not in message and "PRIVATE" not in message
    assert len(message.strip().splitlines()) <= 2, message
    assert not (data / "keys").exists() or not any((data / "keys").iterdir())
    return message.lower()


def test_import_refuses_a_key_that_does_not_match(data, made):
    message = refused_import(data, made.pem("leaf", "intermediate"), made.folder / "root.key")
    assert "match" in message or "belong" in message


def test_import_refuses_the_wrong_order(data, made):
    refused_import(data, made.pem("intermediate", "leaf"), made.key)
    refused_import(data, made.pem("leaf", "root", "intermediate"), made.key)


def test_import_refuses_a_gap(tmp_path, data, made):
    other = Chain(tmp_path / "other")
    path = tmp_path / "mixed.chain"
    path.write_text((made.folder / "leaf.pem").read_text() + (other.folder / "intermediate.pem").read_text())
    refused_import(data, path, made.key)


@pytest.mark.parametrize(
    "leaf",
    {
        "a server": LEAF.replace("emailProtection,1.3.6.1.4.1.62558.2.1", "serverAuth"),
        "any purpose": LEAF.replace("emailProtection", "emailProtection,anyExtendedKeyUsage"),
        "an authority": AUTHORITY,
        "no purpose": "\n".join(line for line in LEAF.splitlines() if "extended" not in line) + "\n",
        "no usage": "\n".join(
            line for line in LEAF.splitlines() if "keyUsage=" not in line.replace("extendedK", "")
        ),
        "encryption": LEAF.replace("digitalSignature", "keyEncipherment"),
    }.items(),
    ids=lambda item: item[0],
)
def test_import_refuses_another_profile(tmp_path, data, leaf):
    chain = Chain(tmp_path / "chain", leaf=leaf[1])
    refused_import(data, chain.pem("leaf", "intermediate"), chain.key)


def test_import_refuses_an_expired_certificate(tmp_path, data, made):
    """Made here: openssl's command makes no certificate that ended already."""
    key = serialization.load_pem_private_key((made.folder / "intermediate.key").read_bytes(), None)
    leaf = x509.load_pem_x509_certificate((made.folder / "leaf.pem").read_bytes())
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject)
        .issuer_name(leaf.issuer)
        .public_key(leaf.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=200))
        .not_valid_after(now - datetime.timedelta(days=1))
    )
    for extension in leaf.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    expired = builder.sign(key, leaf.signature_hash_algorithm)
    path = tmp_path / "expired.chain"
    path.write_text(
        expired.public_bytes(serialization.Encoding.PEM).decode() + (made.folder / "intermediate.pem").read_text()
    )
    assert "expired" in refused_import(data, path, made.key)


def test_import_refuses_what_is_no_pem(tmp_path, data, made):
    text = tmp_path / "text"
    text.write_text("This is neither.")
    refused_import(data, text, made.key)
    refused_import(data, made.pem("leaf", "intermediate"), text)
    refused_import(data, tmp_path / "absent", made.key)
    text.write_bytes(os.urandom(3_000_000))
    refused_import(data, text, made.key)


def test_sign_with_a_chosen_certificate_and_for_older_readers(tmp_path, data, photo):
    chosen = tmp_path / "chosen"
    assert run("keys", "init", "--algorithm", "p-256", "--data", chosen).returncode == 0
    signed = tmp_path / "signed.jpg"
    trust = {"ISSUER_CERTIFICATE": str(chosen / "keys" / "root.pem")}
    settings = trust | {"SIGNING_CERTIFICATE": str(chosen / "keys" / "signer.pem"), "WRITE_CREATIVE_WORK": "true"}
    done = run("sign", photo, "-o", signed, "--creator", "Jane Doe", "--data", data, env=settings)
    assert done.returncode == 0, done.stderr.decode()
    assert_valid(signed.read_bytes(), (chosen / "keys" / "root.pem").read_text())
    assert not (data / "keys").exists(), "no keys are made where others are chosen"
    report = json.loads(run("verify", signed, "--json", "--data", data, env=trust).stdout)
    labels = {assertion["label"]: assertion.get("created") for assertion in report["manifest"]["assertions"]}
    assert labels["stds.schema-org.CreativeWork"] is not True
    assert report["valid"] is True
    assert run("verify", signed, "--data", data).returncode == 1, "without its root nobody vouches for the signer"


def test_verify_at_a_chosen_time(tmp_path, data, photo):
    signed = tmp_path / "signed.jpg"
    assert run("sign", photo, "-o", signed, "--data", data).returncode == 0
    done = run("verify", signed, "--json", "--data", data, "--at", "2099-01-01T00:00:00Z")
    failed = {status["code"] for status in json.loads(done.stdout)["status"] if status["kind"] == "failure"}
    assert (done.returncode, failed) == (1, {"claimSignature.outsideValidity"})
