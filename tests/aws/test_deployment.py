"""The template, deployed: what there is then, and how the gateway in front of it answers."""

import json

import pytest

from stack import Stack

BUCKETS = ("BlobBucketName", "UploadBucketName", "InboxBucketName", "OutboxBucketName")


@pytest.mark.parametrize("bucket", BUCKETS)
def test_buckets_are_closed(deployed: Stack, bucket: str) -> None:
    s3, name = deployed.client("s3"), deployed.outputs[bucket]
    assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    assert [one["Sid"] for one in policy["Statement"]] == ["TlsOnly"]
    (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_what_is_removed_from_the_table_is_told(deployed: Stack) -> None:
    dynamodb, name = deployed.client("dynamodb"), deployed.outputs["ProofTableName"]
    table = dynamodb.describe_table(TableName=name)["Table"]
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"}
    assert {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]} == {"pk": "HASH", "sk": "RANGE"}


def test_removals_of_proofs_reach_their_function_alone(deployed: Stack) -> None:
    mappings = deployed.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [one for one in mappings if one["FunctionArn"].endswith(deployed.functions["reap_blobs"])]
    (filter_,) = mapping["FilterCriteria"]["Filters"]
    assert json.loads(filter_["Pattern"])["eventName"] == ["REMOVE"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_schedules_are_there(deployed: Stack) -> None:
    schedules = deployed.client("scheduler").list_schedules(NamePrefix=deployed.name)["Schedules"]
    names = {one["Name"].removeprefix(f"{deployed.name}-") for one in schedules}
    assert names == {"nightly", "restamp", "daily", "everyfiveminutes"}


def test_no_key_is_made_where_keys_are_given(deployed: Stack, signing_keys: dict[str, str]) -> None:
    assert deployed.outputs["SigningKeyArn"].split(",") == [*signing_keys.values()]
    aliases = deployed.client("kms").list_aliases()["Aliases"]
    assert f"alias/{deployed.name}-signing" not in [one["AliasName"] for one in aliases]


def test_functions_find_what_they_need_in_their_environment(deployed: Stack) -> None:
    found = deployed.client("lambda").get_function_configuration(FunctionName=deployed.functions["sign"])
    variables = found["Environment"]["Variables"]
    outputs = deployed.outputs
    assert variables["PROOF_URI_DOMAIN"] == f"{outputs['ApiUrl']}/proofs"
    assert variables["PROOF_TABLE"] == outputs["ProofTableName"]
    assert variables["BLOB_BUCKET"] == outputs["BlobBucketName"]
    assert variables["UPLOAD_BUCKET"] == outputs["UploadBucketName"]
    assert variables["CREDLINK_STACK"] == deployed.name
    assert variables["REVOCATION_FETCH"] == "true"
    assert not {"TRUST_ANCHORS", "TSA_ANCHORS", "TIMESTAMP_URL"} & {*variables}


def test_errors_of_the_gateway_are_in_our_envelope(deployed: Stack) -> None:
    gateway = deployed.client("apigateway")
    responses = gateway.get_gateway_responses(restApiId=deployed.outputs["ApiId"], limit=500)["items"]
    ours = {one["responseType"]: one for one in responses if not one.get("defaultResponse")}
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "REQUEST_TOO_LARGE", "INTEGRATION_TIMEOUT"} <= {*ours}
    for one in ours.values():
        error = json.loads(one["responseTemplates"]["application/json"])["error"]
        assert str(error["statusCode"]) == one["statusCode"]


def test_binary_bodies_pass_the_gateway(deployed: Stack) -> None:
    api = deployed.client("apigateway").get_rest_api(restApiId=deployed.outputs["ApiId"])
    assert api["binaryMediaTypes"] == ["*/*"]
