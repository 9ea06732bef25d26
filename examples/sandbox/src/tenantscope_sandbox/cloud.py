"""The emulated account: clients for whoever holds credentials, and everything the template deploys."""

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .parts import aws
from .processes import PartFailed, wait_until
from .state import REPOSITORY, State

STACK = "tenantscope"
EXECUTION_USER = "tenantscope-execution"
TEMPLATES = "tenantscope-templates"
TEMPLATE = REPOSITORY / "examples/deploy/tenantscope.yaml"
DEPLOY_SECONDS = 60

_session: Any = boto3.Session(region_name=aws.REGION)
_making = threading.Lock()


@dataclass(frozen=True)
class Credentials:
    """Keys of somebody in the emulated account."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def client(self, service: str, endpoint: str, **config: Any) -> Any:
        """Return a boto3 client that signs with these keys."""
        settings: dict[str, Any] = {"connect_timeout": 5, "read_timeout": 30, "retries": {"max_attempts": 2}}
        with _making:  # sessions are not safe to make clients from in several threads
            return _session.client(
                service,
                endpoint_url=endpoint,
                aws_access_key_id=self.access_key_id,
                aws_secret_access_key=self.secret_access_key,
                aws_session_token=self.session_token,
                config=Config(**{**settings, **config}),
            )


def provision(state: State, endpoint: str, root: Credentials, issuer_url: str, audience: str) -> dict[str, str]:
    """Deploy the production template, register the issuer, make the servers' identity; return the stack's outputs."""
    iam = root.client("iam", endpoint)
    principal = _execution_user(state, iam)
    provider = _oidc_provider(iam, issuer_url, audience)
    parameters = {
        "ExecutionPrincipalArn": principal,
        "ExternalId": state.secret("external-id"),
        "OidcProviderArn": provider,
        "RequireTls": "false",
    }
    outputs = _deploy(state, root.client("cloudformation", endpoint), root.client("s3", endpoint), parameters)
    iam.attach_user_policy(UserName=EXECUTION_USER, PolicyArn=outputs["ExecutionPolicyArn"])
    return outputs


def _execution_user(state: State, iam: Any) -> str:
    try:
        user = iam.get_user(UserName=EXECUTION_USER)["User"]
    except iam.exceptions.NoSuchEntityException:
        user = iam.create_user(UserName=EXECUTION_USER)["User"]
    known = [key["AccessKeyId"] for key in iam.list_access_keys(UserName=EXECUTION_USER)["AccessKeyMetadata"]]
    if state.read("secrets.json").get("execution-access-key-id") not in known:
        key = iam.create_access_key(UserName=EXECUTION_USER)["AccessKey"]
        made = {"execution-access-key-id": key["AccessKeyId"], "execution-secret-access-key": key["SecretAccessKey"]}
        state.update("secrets.json", made)
    return user["Arn"]


def _oidc_provider(iam: Any, issuer_url: str, audience: str) -> str:
    arn = f"arn:aws:iam::{aws.ACCOUNT}:oidc-provider/{issuer_url.split('://', 1)[1]}"
    listed = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    if arn not in [provider["Arn"] for provider in listed]:
        iam.create_open_id_connect_provider(Url=issuer_url, ClientIDList=[audience], ThumbprintList=["0" * 40])
    return arn


def _deploy(state: State, cloudformation: Any, s3: Any, parameters: dict[str, str]) -> dict[str, str]:
    body = TEMPLATE.read_text()
    digest = hashlib.sha256(repr((body, sorted(parameters.items()))).encode()).hexdigest()
    stack = _stack(cloudformation)
    if stack is None or state.read("deployed.json").get("digest") != digest:
        url = _upload(s3, body, digest)
        deploy = cloudformation.create_stack if stack is None else cloudformation.update_stack
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        try:
            deploy(StackName=STACK, TemplateURL=url, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"])
        except ClientError as error:
            if "No updates" not in str(error):
                raise
        wait_until(lambda: not _status(cloudformation).endswith("_IN_PROGRESS"), DEPLOY_SECONDS)
        stack = _stack(cloudformation)
        if stack is None or stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise PartFailed(f"aws: the template did not deploy:\n{_failures(cloudformation)}")
        state.write("deployed.json", {"digest": digest})
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _upload(s3: Any, body: str, digest: str) -> str:
    """The URL of the template: it is longer than CloudFormation takes in a request."""
    s3.create_bucket(Bucket=TEMPLATES)
    s3.put_object(Bucket=TEMPLATES, Key=f"{digest}.yaml", Body=body.encode())
    return f"https://s3.amazonaws.com/{TEMPLATES}/{digest}.yaml"


def _stack(cloudformation: Any) -> dict[str, Any] | None:
    try:
        return cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise


def _status(cloudformation: Any) -> str:
    return (_stack(cloudformation) or {"StackStatus": "GONE"})["StackStatus"]


def _failures(cloudformation: Any) -> str:
    events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    return "\n".join(f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)
