"""A service described as a whole: its own calls, and those that every service has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from serving import drain, guard, probes
from serving.openapi import Api, call, document

TAGS = {
    "access": "Tokens for keys.",
    "service": "How the service is, what it measures, and what it can do.",
}


def describe(api: Api, rules: guard.Rules) -> dict[str, Any]:
    """The OpenAPI document of a service with these calls, behind a guard with these rules."""
    whole = replace(
        api,
        tags={**api.tags, **TAGS},
        operations={
            **api.operations,
            **guard.OPERATIONS,
            **probes.OPERATIONS,
            **drain.OPERATIONS,
            **call.OPERATIONS,
        },
    )
    return document(whole, lambda method, route: guard.role_of(rules, method, route))
