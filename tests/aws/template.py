"""template.yaml as data: what tests ask of it, and what the deployment to a local AWS is made from."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]

TEMPLATE = ROOT / "template.yaml"

DEPLOYMENT = re.compile(r"^(ApiDeployment|ApiKeyDeployment)([0-9a-f]{10})$")
"""The logical id of a deployment of the API: a name, then the hash of what is deployed."""

DEPLOYED_TYPES = ("RestApi", "Resource", "Method", "GatewayResponse")
"""What a deployment takes a picture of, among the resources of API Gateway."""


class _Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as the long ones."""


def _long_form(loader: _Loader, tag: str, node: yaml.Node) -> dict:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _long_form)


def load() -> dict:
    """The template, with functions of CloudFormation in their long form."""
    return yaml.load(TEMPLATE.read_text(), Loader=_Loader)


def resources_of(template: dict, kind: str) -> dict[str, dict]:
    """The resources of a type, such as `AWS::S3::Bucket`."""
    return {name: one for name, one in template["Resources"].items() if one["Type"] == kind}


def functions(template: dict) -> dict[str, str]:
    """The binary of each function, by its logical id."""
    found = resources_of(template, "AWS::Serverless::Function")
    return {name: one["Metadata"]["BuildProperties"]["Binary"] for name, one in found.items()}


def deployment_hash(template: dict) -> str:
    """Ten hexadecimal digits that change whenever the deployed API does."""
    kinds = {f"AWS::ApiGateway::{kind}" for kind in DEPLOYED_TYPES}
    deployed = {name: one for name, one in template["Resources"].items() if one["Type"] in kinds}
    return hashlib.sha256(json.dumps(deployed, sort_keys=True).encode()).hexdigest()[:10]


def statements(template: dict) -> Iterator[tuple[str, dict]]:
    """Every statement that a role allows, with the role's logical id. Of a choice, all sides."""
    for name, role in resources_of(template, "AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                sides = statement["Fn::If"][1:] if "Fn::If" in statement else [statement]
                yield from ((name, side) for side in sides if side != {"Ref": "AWS::NoValue"})
