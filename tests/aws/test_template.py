"""What the template promises, read from the template alone."""

import json
import re

import pytest

import template
from template import DEPLOYMENT, deployment_hash, resources_of, statements

TEMPLATE = template.load()

CODES = {
    400: {"INVALID_REQUEST"},
    401: {"UNAUTHORIZED"},
    403: {"ACCESS_DENIED"},
    404: {"NOT_FOUND"},
    413: {"FILE_TOO_LARGE"},
    415: {"UNSUPPORTED_MEDIA_TYPE"},
    429: {"RATE_LIMIT_EXCEEDED"},
    500: {"INTERNAL_ERROR"},
    503: {"SERVICE_UNAVAILABLE"},
    504: {"TIMEOUT"},
}
"""The names of failures that go with a status."""

RESPONSES = {
    one["Properties"]["ResponseType"]: one["Properties"]
    for one in resources_of(TEMPLATE, "AWS::ApiGateway::GatewayResponse").values()
}

FUNCTIONS = template.functions(TEMPLATE)

JOBS = {
    "CleanupProofsRole": "proof-cleanup",
    "RestampProofsRole": "proof-restamp",
    "RotateCertificateRole": "certificate-rotation-check",
    "HealthMetricsRole": "health-metrics",
}
"""The roles of functions that run a job, and which."""

WITHOUT_RESOURCE = ("kms:CreateKey", "kms:ListKeys")
"""Actions that AWS knows no resource for."""

STACK_TAG = "aws:ResourceTag/credlink:stack"
"""A condition on whose key it is."""

OWN_STACK = {"Ref": "AWS::StackName"}


def properties(kind: str) -> list[dict]:
    return [one["Properties"] for one in resources_of(TEMPLATE, kind).values()]


def test_the_deployment_shows_the_api_as_it_is() -> None:
    hashes = {DEPLOYMENT.match(name)[2] for name in resources_of(TEMPLATE, "AWS::ApiGateway::Deployment")}
    now = deployment_hash(TEMPLATE)
    assert hashes == {now}, (
        f"the API has changed: rename ApiDeployment… and ApiKeyDeployment… to end in {now}, to deploy it anew"
    )


def test_each_deployment_waits_for_all_that_it_shows() -> None:
    shown = {*resources_of(TEMPLATE, "AWS::ApiGateway::Method")}
    shown |= {*resources_of(TEMPLATE, "AWS::ApiGateway::GatewayResponse")}
    for name, one in resources_of(TEMPLATE, "AWS::ApiGateway::Deployment").items():
        assert {*one["DependsOn"]} == shown, name


@pytest.mark.parametrize("kind", RESPONSES)
def test_the_gateway_answers_errors_in_our_envelope(kind: str) -> None:
    response = RESPONSES[kind]
    (text,) = response["ResponseTemplates"].values()
    envelope = json.loads(text)
    error = envelope.pop("error")
    assert envelope == {}
    assert list(error) == ["message", "code", "statusCode", "timestamp", "requestId", "details"]
    assert error["statusCode"] == int(response["StatusCode"])
    assert error["code"] in CODES[error["statusCode"]]
    assert error["message"].endswith(".")
    assert isinstance(error["details"], dict)
    assert error["requestId"] == "$context.requestId"


@pytest.mark.parametrize("kind", RESPONSES)
def test_errors_of_the_gateway_are_readable_for_pages_of_other_origins(kind: str) -> None:
    headers = RESPONSES[kind]["ResponseParameters"]
    assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
    waits = "gatewayresponse.header.Retry-After" in headers
    assert waits == (RESPONSES[kind]["StatusCode"] in ("429", "503"))
    assert ("Retry-After" in headers["gatewayresponse.header.Access-Control-Expose-Headers"]) == waits


def test_binary_bodies_pass_the_gateway() -> None:
    (api,) = properties("AWS::ApiGateway::RestApi")
    assert api["BinaryMediaTypes"] == ["*/*"]
    assert "MinimumCompressionSize" not in api


def test_a_preflight_needs_no_api_key() -> None:
    for method in properties("AWS::ApiGateway::Method"):
        if method["HttpMethod"] == "OPTIONS":
            assert method["ApiKeyRequired"] is False


def test_a_role_allows_one_action_on_one_resource_in_each_statement() -> None:
    found = [(role, statement) for role, statement in statements(TEMPLATE)]
    assert {role for role, _ in found} == {name.removesuffix("Function") + "Role" for name in FUNCTIONS}
    for role, statement in found:
        assert statement["Effect"] == "Allow"
        assert re.fullmatch(r"[a-z0-9-]+:[A-Z][A-Za-z]+", statement["Action"]), (role, statement)
        if statement["Action"] in WITHOUT_RESOURCE:
            assert (role, statement["Resource"]) == ("RotateCertificateRole", "*"), statement
        else:
            assert isinstance(statement["Resource"], dict), (role, statement)


def test_no_role_reaches_a_whole_service() -> None:
    for role, statement in statements(TEMPLATE):
        text = json.dumps(statement["Resource"])
        if statement["Action"] in WITHOUT_RESOURCE:
            continue
        assert text != '"*"' and ("Fn::" in text or "Ref" in text), (role, statement)
        if statement["Action"] in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
            whole = re.search(r"\$\{(\w+)\.Arn\}/\*\"", text)
            assert whole is None or whole[1] in ("InboxBucket", "OutboxBucket"), (role, statement)


def of_keys(*roles: str) -> list[dict]:
    """What roles may do with keys."""
    return [one for role, one in statements(TEMPLATE) if role in roles and one["Action"].startswith("kms:")]


def test_only_functions_that_sign_or_rotate_use_keys() -> None:
    found = {role for role, one in statements(TEMPLATE) if one["Action"].startswith("kms:")}
    assert found == {"SignRole", "AutoSignRole", "RestampProofsRole", "RotateCertificateRole"}


def test_who_signs_uses_keys_only_for_what_we_write() -> None:
    for statement in of_keys("SignRole", "AutoSignRole", "RestampProofsRole"):
        assert statement["Action"] == "kms:Sign"
        allowed = statement["Condition"]["StringEquals"]
        assert allowed["kms:MessageType"] == "DIGEST"
        assert allowed["kms:SigningAlgorithm"] == ["RSASSA_PSS_SHA_256", "ECDSA_SHA_256", "ECDSA_SHA_384"]
        if "key/*" in json.dumps(statement["Resource"]):
            assert allowed[STACK_TAG] == OWN_STACK


def test_who_rotates_changes_only_keys_of_its_own_stack() -> None:
    reading = ("kms:ListKeys", "kms:ListResourceTags", "kms:DescribeKey", "kms:GetPublicKey")
    for statement in of_keys("RotateCertificateRole"):
        if statement["Action"] in reading:
            continue
        allowed = statement["Condition"]["StringEquals"]
        making = statement["Action"] in ("kms:CreateKey", "kms:TagResource")
        assert allowed["aws:RequestTag/credlink:stack" if making else STACK_TAG] == OWN_STACK
        if statement["Action"] == "kms:Sign":
            assert allowed["kms:MessageType"] == "DIGEST"


def test_only_the_function_that_rotates_may_write_who_signs() -> None:
    writing = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem")
    for role, statement in statements(TEMPLATE):
        if statement["Action"] in writing:
            ((keys,),) = (condition.values() for condition in statement["Condition"].values())
            own = {f"job#{JOBS[role]}"} if role in JOBS else set()
            records = {"proof#*", "image#*", "rate#*", "idempotency#*"}
            assert {*keys} <= own | ({"signer"} if role == "RotateCertificateRole" else records), role


def choice_of(role: str, wanted: dict) -> str | None:
    """The condition that a statement of a role stands under; none when it always holds."""
    for policy in TEMPLATE["Resources"][role]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement == wanted:
                return None
            if statement.get("Fn::If", [None, None])[1] == wanted:
                return statement["Fn::If"][0]
    raise LookupError(f"{role} has no such statement")


def test_a_role_reaches_proofs_only_where_they_live() -> None:
    """Of the table always what is not a proof: who signs, counters, jobs, idempotency keys."""
    scanning = ("dynamodb:Query", "dynamodb:Scan", "dynamodb:BatchGetItem")
    for role, statement in statements(TEMPLATE):
        if role in ("ReapBlobsRole", "RotateCertificateRole"):
            continue
        resource, keys = json.dumps(statement["Resource"]), json.dumps(statement.get("Condition", {}))
        if "/manifests/*" in resource or "proof#*" in keys or statement["Action"] in scanning:
            assert choice_of(role, statement) == "KeepsProofsInDynamoDb", (role, statement)
        elif "${Bucket}" in resource:
            assert choice_of(role, statement) == "KeepsProofsInS3", (role, statement)
            assert statement["Action"] == "s3:ListBucket" or "/proofs/*" in resource, (role, statement)


def test_the_url_of_the_database_is_not_shown() -> None:
    assert TEMPLATE["Parameters"]["ProofDatabaseUrl"]["NoEcho"] is True
    assert "ProofDatabaseUrl" not in json.dumps(TEMPLATE["Outputs"])


def test_a_job_may_read_and_write_its_own_state() -> None:
    for role, job in JOBS.items():
        allowed = [one for of, one in statements(TEMPLATE) if of == role and one["Action"] == "dynamodb:PutItem"]
        own = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"job#{job}"]}}
        assert own in [one["Condition"] for one in allowed], role
        assert "dynamodb:GetItem" in {one["Action"] for of, one in statements(TEMPLATE) if of == role}, role


def test_buckets_are_closed() -> None:
    closed = {"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"}
    policies = {one["Bucket"]["Ref"]: one["PolicyDocument"] for one in properties("AWS::S3::BucketPolicy")}
    buckets = resources_of(TEMPLATE, "AWS::S3::Bucket")
    assert {*policies} == {*buckets}
    for name, bucket in buckets.items():
        chosen = bucket["Properties"]
        assert chosen["PublicAccessBlockConfiguration"] == dict.fromkeys(closed, True)
        assert chosen["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        assert "BucketEncryption" in chosen
        (statement,) = policies[name]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_what_is_not_to_be_kept_expires() -> None:
    (table,) = properties("AWS::DynamoDB::Table")
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    days = {}
    for name, bucket in resources_of(TEMPLATE, "AWS::S3::Bucket").items():
        rules = {rule["Id"]: rule for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]}
        assert rules["UnfinishedUploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
        days |= {name: rules["Expire"]["ExpirationInDays"]} if "Expire" in rules else {}
    assert days == {"UploadBucket": 1, "InboxBucket": {"Ref": "InboxRetentionDays"}}


def test_the_table_can_be_restored_and_is_hard_to_delete_in_production() -> None:
    (table,) = properties("AWS::DynamoDB::Table")
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] == {"Fn::If": ["IsProduction", True, False]}


def test_what_cannot_be_made_again_outlives_the_stack() -> None:
    for name in ("ProofTable", "BlobBucket", "OutboxBucket", "SigningKey"):
        one = TEMPLATE["Resources"][name]
        assert (one["DeletionPolicy"], one["UpdateReplacePolicy"]) == ("Retain", "Retain"), name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_watched_and_its_log_ends(function: str) -> None:
    alarms = {
        one["MetricName"]
        for one in properties("AWS::CloudWatch::Alarm")
        if {"Name": "FunctionName", "Value": {"Ref": function}} in one["Dimensions"]
    }
    assert alarms == {"Errors", "Throttles"}
    group = TEMPLATE["Resources"][function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert "RetentionInDays" in TEMPLATE["Resources"][group]["Properties"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_starts_a_function_by_itself_tries_again_and_keeps_what_fails(function: str) -> None:
    for event in TEMPLATE["Resources"][function]["Properties"].get("Events", {}).values():
        rules = event["Properties"]
        if event["Type"] == "DynamoDB":
            assert rules["MaximumRetryAttempts"] > 0
            kept = rules["DestinationConfig"]["OnFailure"]["Destination"]
        else:
            assert rules["RetryPolicy"]["MaximumRetryAttempts"] > 0
            kept = rules["DeadLetterConfig"]["Arn"]
        assert kept == {"Fn::GetAtt": ["FailureQueue", "Arn"]}


CA = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority"

GOOD = {
    "ProofUriDomain": ["", "https://proofs.example.com", "https://proofs.example.com:8443/a/proofs"],
    "AllowedOrigins": ["*", "https://example.com", "https://a.example.com,http://localhost:3000"],
    "ProofBucket": ["", "my-proofs", "proofs.example.com"],
    "ProofDatabaseUrl": [
        "",
        "postgres://credlink:pass%40word@db.example.com:5432/credlink?sslmode=verify-full",
        "postgresql://credlink@db/credlink",
        "{{resolve:secretsmanager:credlink-db:SecretString:url}}",
    ],
    "SubnetIds": ["", "subnet-0123456789abcdef0"],
    "SecurityGroupIds": ["", "sg-01234567"],
    "SigningKeyArns": ["", "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
    "PrivateCaArn": ["", f"{CA}/1234abcd-12ab-34cd-56ef-1234567890ab"],
    "TrustAnchorsObject": ["", "s3://my-bucket/trust/anchors.pem"],
    "TsaAnchorsObject": ["", "s3://my-bucket/trust/tsa.pem"],
    "TimestampUrl": ["", "http://timestamp.example.com", "https://tsa.example.com:8443/stamp?key=a%20b"],
    "AlarmEmail": ["", "someone@example.com"],
    "SentryDsn": ["", "https://abc123@o1.ingest.sentry.example/42", "https://k@sentry.example.com:8443/sub/7"],
    "AwsEndpointUrl": ["", "http://127.0.0.1:4566", "http://localhost:4566"],
    "StageName": ["v1", "prod"],
    "DefaultDigitalSourceType": ["", "digitalCapture", "http://cv.iptc.org/newscodes/digitalsourcetype/composite"],
}
BAD = {
    "ProofUriDomain": ["http://a.example.com", "https://a.example.com/", "https://A.example.com", "proofs"],
    "AllowedOrigins": ["", "example.com", "https://example.com/", "https://a.example, https://b.example", "*,*"],
    "ProofBucket": ["s3://my-proofs", "My-Proofs", "a", "my-proofs/prefix"],
    "ProofDatabaseUrl": ["mysql://a@b/c", "postgres://host/database", "postgres://a@b", "postgres://a b@c/d", "{{resolve:ssm:a}}"],
    "SubnetIds": ["vpc-01234567", "subnet-"],
    "SecurityGroupIds": ["default", "sg-0123456789abcdef01"],
    "SigningKeyArns": ["alias/signing", "arn:aws:kms:eu-central-1:111122223333:alias/signing", "1234abcd"],
    "PrivateCaArn": [f"{CA}/", "1234abcd", f"{CA}/1234/certificate/5678"],
    "TrustAnchorsObject": ["anchors.pem", "s3://bucket", "s3://bucket/", "https://bucket/key", "s3://bucket/*"],
    "TsaAnchorsObject": ["tsa.pem", "s3://bucket", "s3://bucket/", "https://bucket/key", "s3://bucket/*"],
    "TimestampUrl": ["tsa.example.com", "ftp://tsa.example.com", "http://user@tsa.example.com", "http://a b/", "http://"],
    "AlarmEmail": ["someone", "a b@example.com"],
    "SentryDsn": ["https://sentry.example.com/42", "http://k@sentry.example.com/42", "https://k@sentry.example.com"],
    "AwsEndpointUrl": ["https://127.0.0.1:4566", "http://10.0.0.1:4566", "http://127.0.0.1"],
    "StageName": ["", "a-b", "a/b"],
    "DefaultDigitalSourceType": ["a b", "<script>"],
}


def test_every_pattern_of_a_parameter_has_examples() -> None:
    patterns = {name for name, one in TEMPLATE["Parameters"].items() if "AllowedPattern" in one}
    assert patterns == {*GOOD} == {*BAD}


@pytest.mark.parametrize("name", GOOD)
def test_parameters_take_what_works_and_refuse_what_cannot(name: str) -> None:
    pattern = re.compile(TEMPLATE["Parameters"][name]["AllowedPattern"])
    assert [value for value in GOOD[name] if not pattern.fullmatch(value)] == []
    assert [value for value in BAD[name] if pattern.fullmatch(value)] == []


def test_every_limited_parameter_says_what_it_takes() -> None:
    for name, one in TEMPLATE["Parameters"].items():
        assert one["ConstraintDescription"].startswith("must be "), name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & {*one}, name
