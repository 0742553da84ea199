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
from moto.server import main


def budgets() -> None:
    """It knows notifications, and not whom they tell; nor tags."""

    def subscribers(self: BudgetsResponse) -> str:
        asked = self._get_param("Notification")
        backend = self.backend
        account = self._get_param("AccountId")
        name = self._get_param("BudgetName")
        for kept in backend.budgets[account][name].notifications:
            if all(kept.details.get(key) == value for key, value in asked.items()):
                return json.dumps({"Subscribers": kept.subscribers})
        return '{"Subscribers": []}'

    BudgetsResponse.describe_subscribers_for_notification = subscribers
    BudgetsResponse.list_tags_for_resource = lambda _: '{"ResourceTags": []}'


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


if __name__ == "__main__":
    for mend in (budgets, launch_templates, security_groups, clusters, databases):
        mend()
    main()
