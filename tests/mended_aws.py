"""Moto's server, with what it forgets or cannot answer mended: `python mended_aws.py --port N`.

Each mend makes it do as AWS does with what our modules ask. What it has not at all (add-ons, access
entries, Pod Identity of EKS; the block of public buckets for a whole account) stays away.
"""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.responses import BudgetsResponse
from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.eks.models import EKSBackend
from moto.eks.responses import EKSResponse
from moto.rds.models import DBParameterGroup, RDSBackend
from moto.s3.responses import S3Response
from moto.server import main


def budgets() -> None:
    """It knows notifications, and not whom they tell; nor tags."""

    tags: dict[str, list[dict[str, str]]] = {}
    create = BudgetsResponse.create_budget

    def create_budget(self: Any) -> str:
        name = self._get_param("Budget")["BudgetName"]
        tags[name] = self._get_param("ResourceTags") or []
        answer: str = create(self)
        return answer

    def list_tags(self: Any) -> str:
        name = self._get_param("ResourceARN").rpartition("/")[2]
        return json.dumps({"ResourceTags": tags.get(name, [])})

    def subscribers(self: Any) -> str:
        asked = self._get_param("Notification")
        budget = self.backend.budgets[self._get_param("AccountId")][self._get_param("BudgetName")]
        found = (
            kept.subscribers
            for kept in budget.notifications
            if all(kept.details.get(key) == value for key, value in asked.items())
        )
        return json.dumps({"Subscribers": next(found, [])})

    BudgetsResponse.create_budget = create_budget
    BudgetsResponse.list_tags_for_resource = list_tags
    BudgetsResponse.describe_subscribers_for_notification = subscribers


def launch_templates() -> None:
    """The template's own tags are not those of what is launched."""
    original = EC2Backend.create_launch_template

    def create(self: Any, name: str, description: str, data: dict[str, Any], tags: Any) -> Any:
        specs = data.get("TagSpecifications", [])
        data["TagSpecifications"] = [s for s in specs if s["ResourceType"] != "launch-template"]
        return original(self, name, description, data, tags)

    EC2Backend.create_launch_template = create


def security_groups() -> None:
    """A rule that names another group has its description, too."""
    SecurityGroupRule.description = property(
        lambda self: self.ip_range.get("Description") or self.source_group.get("Description")
    )


def clusters() -> None:
    """EKS makes a security group, and keeps how many nodes may be replaced at once."""
    cluster = EKSBackend.create_cluster
    group = EKSResponse.create_nodegroup

    def create_cluster(self: Any, *args: Any, **kwargs: Any) -> Any:
        made = cluster(self, *args, **kwargs)
        made.resources_vpc_config["clusterSecurityGroupId"] = "sg-0123456789abcdef0"
        return made

    def create_nodegroup(self: Any) -> Any:
        answer = group(self)
        made = self.eks_backend.clusters[self._get_param("name")].nodegroups[
            self._get_param("nodegroupName")
        ]
        made.update_config = self._get_param("updateConfig")
        made.remote_access = None
        return answer

    EKSBackend.create_cluster = create_cluster
    EKSResponse.create_nodegroup = create_nodegroup


def databases() -> None:
    """Parameters that somebody set are told as such; Performance Insights is kept."""
    update = DBParameterGroup.update_parameters
    instance = RDSBackend.create_db_instance

    def update_parameters(self: Any, new: list[dict[str, Any]]) -> None:
        update(self, [each | {"Source": "user"} for each in new])

    def create_db_instance(self: Any, kwargs: dict[str, Any]) -> Any:
        made = instance(self, kwargs)
        made.performance_insights_enabled = kwargs.get("enable_performance_insights")
        for name in ("performance_insights_kms_key_id", "performance_insights_retention_period"):
            setattr(made, name, kwargs.get(name))
        return made

    DBParameterGroup.update_parameters = update_parameters
    RDSBackend.create_db_instance = create_db_instance


def replication() -> None:
    """A rule says which objects it is for."""
    serialized = S3Response.serialized

    def with_criteria(self: Any, result: Any) -> Any:
        told = getattr(result, "result", None)
        if self.data.get("Action") == "GetBucketReplication" and isinstance(told, dict):
            kept = self.backend.get_bucket_replication(self.bucket_name)
            rules = told.get("ReplicationConfiguration", {}).get("Rules", [])
            for rule, made in zip(rules, (kept or {}).get("Rule", []), strict=False):
                if "SourceSelectionCriteria" in made:
                    rule["SourceSelectionCriteria"] = made["SourceSelectionCriteria"]
        return serialized(self, result)

    S3Response.serialized = with_criteria


if __name__ == "__main__":
    for mend in (budgets, launch_templates, security_groups, clusters, databases, replication):
        mend()
    main()
