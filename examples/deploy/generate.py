"""Build tenantscope.yaml from base.yaml, datasets.yaml and every server's policy files; `--check` only compares."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, cast

import yaml

HERE = Path(__file__).parent
SERVERS = HERE.parents[1] / "servers"
TEMPLATE = HERE / "tenantscope.yaml"
FLEET_ONLY = {"allocation_report", "access_log_report", "saving_evidence"}
HEADER = "# Made by examples/deploy/generate.py from base.yaml, datasets.yaml, servers/*/policy*.json. Do not edit.\n"
FOR_WHOM = {
    "Tenant": "one tenant, named by the session tag TenantId",
    "Provider": "the provider's own staff",
    "Admin": "the provider's own staff with one tenant, named by the session tag TenantId",
}
POLICIES = {"Tenant": "policy.json", "Provider": "policy.provider.json", "Admin": "policy.admin.json"}

Document = dict[str, Any]


def template(servers: Path = SERVERS) -> str:
    """Return the whole template, the same for the same inputs."""
    document: Document = yaml.safe_load((HERE / "base.yaml").read_text())
    tables: dict[str, dict[str, str]] = yaml.safe_load((HERE / "datasets.yaml").read_text())
    resources, outputs = document["Resources"], document["Outputs"]
    for name, columns in tables.items():
        if name not in FLEET_ONLY:
            resources[f"{_pascal(name)}Table"] = _tenant_table(name, columns)
        resources[f"Fleet{_pascal(name)}Table"] = _fleet_table(name, columns)
    roles: list[str] = []
    for folder in sorted(path.parent for path in servers.glob("*/policy.json")):
        for audience, file in POLICIES.items():
            if audience == "Admin" and not (folder / file).is_file():
                continue  # most servers do nothing to a tenant that it could not do itself
            logical_id = f"{_pascal(folder.name)}{audience}Role"
            resources[logical_id] = _role(folder.name, audience, json.loads((folder / file).read_text()))
            outputs[f"{logical_id}Arn"] = {"Value": _arn(logical_id)}
            roles.append(logical_id)
    resources["ExecutionPolicy"] = _execution_policy(roles)
    outputs["ExecutionPolicyArn"] = {"Value": {"Ref": "ExecutionPolicy"}}
    return HEADER + yaml.safe_dump(document, sort_keys=False, width=120, default_flow_style=False)


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[-_]", name))


def _arn(logical_id: str) -> Document:
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def substituted(value: Any) -> Any:
    """Turn a policy document into CloudFormation: stack names by Fn::Sub, IAM's own variables escaped from it."""
    if isinstance(value, dict):
        return {key: substituted(item) for key, item in cast("Document", value).items()}
    if isinstance(value, list):
        return [substituted(item) for item in cast("list[Any]", value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    escaped = value.replace("${aws:", "${!aws:")
    # Fn::Sub refuses a string that has nothing of the stack in it.
    return {"Fn::Sub": escaped} if re.search(r"\$\{[^!]", escaped) else value


def _role(server: str, audience: str, policy: Document) -> Document:
    trusted = [_execution_trust(audience)]
    if audience == "Tenant":
        # No token makes its bearer provider staff in the eyes of IAM: the servers decide that, and assume the role.
        trusted.append({"Fn::If": ["HasOidcProvider", _web_identity_trust(), {"Ref": "AWS::NoValue"}]})
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": {"Fn::Sub": f"${{AWS::StackName}}-{server}-{audience.lower()}"},
            "Description": f"What {server} may do for {FOR_WHOM[audience]}.",
            "MaxSessionDuration": 3600,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": trusted},
            "Policies": [{"PolicyName": server, "PolicyDocument": substituted(policy)}],
        },
    }


def _tags(audience: str) -> Document:
    """Return the conditions on session tags: what is about one tenant names it, a provider's session names none."""
    names_tenant = audience != "Provider"
    allowed = ["TenantId", "TenantTier"] if names_tenant else ["TenantTier"]
    return {
        "Null": {"aws:RequestTag/TenantId": "false" if names_tenant else "true"},
        "ForAllValues:StringEquals": {"aws:TagKeys": allowed},
    }


def _execution_trust(audience: str) -> Document:
    return {
        "Sid": "Servers",
        "Effect": "Allow",
        "Principal": {"AWS": {"Ref": "ExecutionPrincipalArn"}},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}, **_tags(audience)},
    }


def _web_identity_trust() -> Document:
    return {
        "Sid": "WebIdentity",
        "Effect": "Allow",
        "Principal": {"Federated": {"Ref": "OidcProviderArn"}},
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"],
        "Condition": _tags("Tenant"),
    }


def _execution_policy(roles: list[str]) -> Document:
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "Description": "All that the servers' own identity may do: assume the roles of this stack.",
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "AssumeRolesOfThisStack",
                        "Effect": "Allow",
                        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
                        "Resource": [_arn(role) for role in roles],
                    }
                ],
            },
        },
    }


def _tenant_table(name: str, columns: dict[str, str]) -> Document:
    partitions = {"tenant_id": "string", "month": "string", "run": "string"}
    folder = f"s3://${{DatasetsBucket}}/datasets/{name}"
    return _table(name, columns, partitions, folder, "tenant_id=${!tenant_id}/month=${!month}/run=${!run}")


def _fleet_table(name: str, columns: dict[str, str]) -> Document:
    partitions = {"month": "string", "run": "string"}
    folder = f"s3://${{DatasetsBucket}}/fleet/{name}"
    return _table(
        f"fleet_{name}", {"tenant_id": "string", **columns}, partitions, folder, "month=${!month}/run=${!run}"
    )


def _table(name: str, columns: dict[str, str], partitions: dict[str, str], folder: str, path: str) -> Document:
    """Return a table whose partitions Athena computes: every query names its months and runs, from the manifest."""
    projection: Document = {"projection.enabled": "true"}
    for column in partitions:
        projection[f"projection.{column}.type"] = "injected"
    return {
        "Type": "AWS::Glue::Table",
        "Properties": {
            "CatalogId": {"Ref": "AWS::AccountId"},
            "DatabaseName": {"Ref": "GlueDatabase"},
            "TableInput": {
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {
                    "classification": "parquet",
                    **projection,
                    "storage.location.template": {"Fn::Sub": f"{folder}/{path}/"},
                },
                "PartitionKeys": [{"Name": column, "Type": kind} for column, kind in partitions.items()],
                "StorageDescriptor": {
                    "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
                    "Location": {"Fn::Sub": f"{folder}/"},
                    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
                    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
                    "SerdeInfo": {
                        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
                    },
                },
            },
        },
    }


def main() -> None:
    """Write the template, or compare it with the committed one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when the committed template is not current")
    if not parser.parse_args().check:
        TEMPLATE.write_text(template())
    elif TEMPLATE.read_text() != template():
        sys.exit(f"{TEMPLATE.name} is not current: run `python examples/deploy/generate.py`.")


if __name__ == "__main__":
    main()
