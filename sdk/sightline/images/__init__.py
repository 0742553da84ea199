"""Container images: built, scanned, listed, signed, pushed, and taken across an air gap.

An image lies in an OCI layout (a folder or an archive) or in a registry; nothing but `build` and
`load` needs a container engine. The public names are here; what each does is in its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.images.building import Built, build
    from sightline.images.bundles.checking import verify as verify_bundle
    from sightline.images.bundles.creating import create as create_bundle
    from sightline.images.bundles.loading import load as load_bundle
    from sightline.images.errors import ImageError
    from sightline.images.planning import Wanted, plan
    from sightline.images.registry import Access, Repository
    from sightline.images.sbom import written as list_packages
    from sightline.images.scanning import scan
    from sightline.images.signing import Verified, sign, verify

__all__ = [
    "Access",
    "Built",
    "ImageError",
    "Repository",
    "Verified",
    "Wanted",
    "build",
    "create_bundle",
    "list_packages",
    "load_bundle",
    "plan",
    "scan",
    "sign",
    "verify",
    "verify_bundle",
]

_PLACES = {
    "Access": "registry",
    "Built": "building",
    "ImageError": "errors",
    "Repository": "registry",
    "Verified": "signing",
    "Wanted": "planning",
    "build": "building",
    "create_bundle": "bundles.creating:create",
    "list_packages": "sbom:written",
    "load_bundle": "bundles.loading:load",
    "plan": "planning",
    "scan": "scanning",
    "sign": "signing",
    "verify": "signing",
    "verify_bundle": "bundles.checking:verify",
}
"""The module of each: imported when it is asked for, since some need much."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, inner = _PLACES[name].partition(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), inner or name)
