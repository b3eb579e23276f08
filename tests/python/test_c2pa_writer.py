"""The files that the tests write themselves are right: every validator trusts them, and knows who signed them."""

import pytest

from c2pa_writer import Manifest, signed_image
from cose import Signature
from hostile import intermediate, report_of, root, small, stamp_root
from validators import c2pa_python, encypher

KEYS = {"p-256": "es256", "p-384": "es384", "p-521": "es512", "rsa-2048": "ps256", "rsa-4096": "ps512", "ed25519": "ed25519"}  # fmt: skip


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("version", [1, 2])
def test_what_is_written_is_trusted(tmp_path, kind, key, version):
    signer = intermediate().leaf(name=f"Leaf {key}", key=key)
    image = signed_image(small(kind), Manifest(Signature(signer, KEYS[key]), claim_version=version))
    for validate in (c2pa_python, encypher):
        verdict = validate(image, root().pem, stamp_root().pem)
        assert (verdict.state, verdict.failures) == ("Trusted", ()), validate.__name__
        assert validate(image, None).state == "Valid", validate.__name__
    ours = report_of(image, tmp_path, root().pem, stamp_root().pem)
    assert ours["state"] == "trusted"
    assert ours["valid"] is True
    assert ours["certificate"]["algorithm"] == KEYS[key]
    assert f"Leaf {key}" in ours["certificate"]["subject"]
