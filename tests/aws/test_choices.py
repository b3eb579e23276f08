"""What the template's parameters change, and what it refuses."""

import json

import pytest
from botocore.exceptions import ClientError

import template
from ministack import REGION, Ministack
from stack import Stack, client, deploy, programs_folder

CHOICES = {
    "SigningKeySpec": "ECC_NIST_P256",
    "RequireApiKey": "true",
    "ApiRateLimit": "1",
    "ApiBurstLimit": "1",
    "AccessLog": "off",
    "ProofUriDomain": "https://proofs.example.com/proofs",
    "AllowedOrigins": "https://a.example.com,https://b.example.com",
    "LogLevel": "debug",
}


@pytest.fixture(scope="module")
def chosen(aws: Ministack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A second stack, in which nothing is as by default."""
    return deploy(aws, tmp_path_factory.mktemp("chosen"), "credlink-chosen", programs_folder(), **CHOICES)


def error_of(response) -> dict:
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    error = response.json()["error"]
    assert error["statusCode"] == response.status_code
    assert error["requestId"] == response.headers["x-amzn-RequestId"]
    return error


@pytest.mark.parametrize("path", ["/sign", "/uploads"])
def test_signing_takes_a_key_where_one_is_required(chosen: Stack, path: str) -> None:
    for headers in ({}, {"x-api-key": "a-key-that-nobody-has-1234567890"}):
        refused = chosen.call("POST", path, data=b"{}", headers=headers)
        assert refused.status_code == 401
        assert error_of(refused)["code"] == "UNAUTHORIZED"


def test_too_many_requests_are_told_when_to_come_again(chosen: Stack) -> None:
    answers = [chosen.call("GET", "/health") for _ in range(4)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert error_of(refused[0])["code"] == "RATE_LIMIT_EXCEEDED"
    assert refused[0].headers["Retry-After"] == "1"


def test_a_key_is_made_where_none_is_given(chosen: Stack) -> None:
    kms = chosen.client("kms")
    key = kms.describe_key(KeyId=f"alias/{chosen.name}-signing")["KeyMetadata"]
    assert key["Arn"] == chosen.outputs["SigningKeyArn"]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")


def test_functions_hear_of_the_choices(chosen: Stack) -> None:
    variables = chosen.environment("sign")
    assert variables["PROOF_URI_DOMAIN"] == CHOICES["ProofUriDomain"]
    assert variables["ALLOWED_ORIGINS"] == CHOICES["AllowedOrigins"]
    assert variables["LOG_LEVEL"] == "debug"


def test_pages_of_the_allowed_origins_may_upload(chosen: Stack) -> None:
    rules = chosen.client("s3").get_bucket_cors(Bucket=chosen.outputs["UploadBucketName"])["CORSRules"]
    assert [rule["AllowedOrigins"] for rule in rules] == [CHOICES["AllowedOrigins"].split(",")]


@pytest.fixture(scope="module")
def template_url(aws: Ministack) -> str:
    """The template where CloudFormation can read it; its functions have no code."""
    s3 = client(aws, "s3")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": REGION})
    without_code = template.load()
    without_code["Globals"]["Function"]["CodeUri"] = "s3://templates/no-code.zip"
    s3.put_object(Bucket="templates", Key="template.json", Body=json.dumps(without_code).encode())
    return f"{aws.endpoint}/templates/template.json"


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"ProofUriDomain": "http://proofs.example.com"}, "must be empty, or an https URL"),
        ({"SigningKeyArns": "alias/signing"}, "must be empty, or ARNs of keys"),
        ({"SigningKeySpec": "SYMMETRIC_DEFAULT"}, "SigningKeySpec"),
        ({"ApiRateLimit": "0"}, "must be a number from 1 to 10000"),
        ({"TrustAnchorsObject": "anchors.pem"}, "must be empty or s3://bucket/key"),
        ({"TimestampUrl": "http://user@tsa.example.com"}, "must be empty, or an http or https URL"),
        ({"RevocationFetch": "never"}, "RevocationFetch"),
        ({"ProofStore": "local"}, "ProofStore"),
        ({"ProofStore": "postgres"}, "ProofDatabaseUrl must be given"),
        ({"ProofDatabaseUrl": "db.example.com"}, "must be empty, a postgres:// URL"),
        ({"Environment": "staging"}, "Environment"),
        ({"Environment": "production", "AwsEndpointUrl": "http://127.0.0.1:4566"}, "must be empty in production"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_work_is_refused(
    aws: Ministack, template_url: str, parameters: dict[str, str], told: str
) -> None:
    with pytest.raises(ClientError, match=told):
        client(aws, "cloudformation").create_change_set(
            StackName="credlink-refused",
            ChangeSetName="first",
            ChangeSetType="CREATE",
            TemplateURL=template_url,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
