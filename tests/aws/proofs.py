"""What the deployed stack has stored, read past the service."""

import json
from dataclasses import dataclass

from stack import Stack


@dataclass(frozen=True)
class Stored:
    """Everything in the table and in the bucket of manifest stores."""

    records: dict[str, dict]
    """By proof id: the record, with `blob` beside its own fields."""
    lookups: list[tuple[str, str]]
    """Pairs of an image hash and a proof id."""
    blobs: set[str]

    @property
    def orphans(self) -> set[str]:
        """Blobs that no record names."""
        return self.blobs - {record["blob"] for record in self.records.values()}

    def assert_whole(self) -> None:
        """Every record has its manifest store and its look-up; no look-up leads nowhere."""
        for name, record in self.records.items():
            assert record["blob"] in self.blobs, f"proof {name} has no manifest store"
            assert (record["imageHash"], name) in self.lookups, f"proof {name} cannot be looked up"
        for image_hash, name in self.lookups:
            assert name in self.records, f"{image_hash} leads to {name}, which is not there"


def stored(stack: Stack) -> Stored:
    """What is stored now."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName=stack.outputs["ProofTableName"])
    items = [item for page in pages for item in page["Items"]]
    keys = stack.client("s3").get_paginator("list_objects_v2").paginate(Bucket=stack.outputs["BlobBucketName"])
    records, lookups = {}, []
    for item in items:
        kind, _, name = item["pk"]["S"].partition("#")
        if kind == "proof":
            records[name] = json.loads(item["record"]["S"]) | {"blob": item["blob"]["S"]}
        elif kind == "image":
            lookups.append((name, item["sk"]["S"].rpartition("#")[2]))
    return Stored(records, lookups, {one["Key"] for page in keys for one in page.get("Contents", [])})


def is_proof_deleted(stack: Stack, name: str) -> bool:
    """Whether nothing at all is left of a proof."""
    now = stored(stack)
    return not (
        name in now.records or any(found == name for _, found in now.lookups) or any(name in key for key in now.blobs)
    )
