"""An SBOM of an image in CycloneDX 1.6, from the packages that are told of in it.

The same image is the same document: its serial number is made of the image's digest, and its time
is the image's own. It says of itself that it is incomplete: a copied program is not told of.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from sightline.images import layers, packages, store
from sightline.images.errors import ToolError
from sightline.images.oci import Descriptor, Platform
from sightline.images.packages import Distribution, Package
from sightline.images.store import Source

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

PREDICATE = "https://cyclonedx.org/bom"
_NAMESPACE = uuid.UUID("8c4c3c36-5b41-5d5e-9d5a-3d0d7f6b2f10")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The image that is listed."""

    name: str
    tag: str | None
    digest: str
    platform: Platform
    created: str | None


def written(
    source: Source, image: Descriptor, name: str, tag: str | None, platform: Platform | None = None
) -> bytes:
    """Of an image in a layout or registry, as JSON. Raises ImageError."""
    variant = store.variant(source, image, platform)
    files = layers.merged(source, variant, packages.wanted)
    about = About(
        name=name,
        tag=tag,
        digest=variant.descriptor.digest,
        platform=variant.config.platform,
        created=variant.config.dated,
    )
    return document(about, packages.found(files), packages.distribution(files))


def document(about: About, found: Sequence[Package], distribution: Distribution | None) -> bytes:
    """As JSON, for people, too."""
    try:
        from cyclonedx.contrib.license.factories import LicenseFactory  # noqa: PLC0415 - an extra
        from cyclonedx.model import Property  # noqa: PLC0415
        from cyclonedx.model.bom import Bom, BomMetaData  # noqa: PLC0415
        from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
        from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415
        from packageurl import PackageURL  # noqa: PLC0415
    except ImportError as error:
        raise ToolError(
            f"{error.name} is not installed: pip install 'sightline[deploy]', or install syft"
        ) from error
    licences = LicenseFactory()

    def component(package: Package) -> Component:
        namespace, qualifiers = None, {}
        if package.kind == "deb":
            namespace = distribution.id if distribution else "debian"
            if package.architecture:
                qualifiers["arch"] = package.architecture
            if distribution and distribution.version:
                qualifiers["distro"] = f"{distribution.id}-{distribution.version}"
        purl = PackageURL(package.kind, namespace, package.name, package.version, qualifiers)
        return Component(
            type=ComponentType.LIBRARY,
            name=package.name,
            version=package.version,
            bom_ref=f"{purl}#{package.path}",
            purl=purl,
            licenses=[licences.make_from_string(package.licence)] if package.licence else [],
            properties=[Property(name="sightline:path", value=package.path)],
        )

    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, about.digest),
        components=[component(each) for each in found],
        metadata=BomMetaData(
            timestamp=_moment(about.created),
            component=Component(
                type=ComponentType.CONTAINER,
                name=about.name,
                version=about.tag or about.digest,
                bom_ref=about.digest,
                properties=[
                    Property(name="sightline:digest", value=about.digest),
                    Property(name="sightline:platform", value=str(about.platform)),
                ],
            ),
        ),
    )
    assert bom.metadata.component is not None
    bom.register_dependency(bom.metadata.component, bom.components)
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    told = msgspec.json.decode(text)
    told["compositions"] = [{"aggregate": "incomplete", "assemblies": [about.digest]}]
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def _moment(created: str | None) -> datetime:
    try:
        return datetime.fromisoformat(created or "")
    except ValueError:
        return datetime.fromisoformat("1970-01-01T00:00:00+00:00")
