"""Keys in the KMS of a local AWS, and who of them signs."""

from pathlib import Path

import credlink
from ministack import Ministack
from stack import Stack, client

KEY_SPECS = {"ps256": "RSA_4096", "es256": "ECC_NIST_P256"}
"""What KMS calls the kinds of key, by the algorithm that they sign with."""


def make_keys(aws: Ministack) -> dict[str, str]:
    """Makes one key for each algorithm; their ARNs."""
    kms = client(aws, "kms")
    return {
        algorithm: kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
        for algorithm, spec in KEY_SPECS.items()
    }


def activate(stack: Stack, key: str, authority: Path) -> str:
    """Makes `key` the active signer, with a certificate of the local authority in the data folder `authority`.

    Gives the authority's root certificate as PEM.
    """
    arguments = ("--kms-key", key, "--table", stack.outputs["ProofTableName"], "--data", authority)
    done = credlink.run("keys", "activate", *arguments, env=stack.aws.environment())
    assert done.returncode == 0, done.stderr.decode()
    return (authority / "keys" / "root.pem").read_text()
