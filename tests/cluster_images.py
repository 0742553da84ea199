"""Our images in the registry of a cluster: two releases that are good, and some that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from container_engine import BASE, CACHE, DOCKERFILES, IMAGES, SERVERS, Engine, debian
from engine import ROOT

FIRST, SECOND = "1.0.0", "1.1.0"


class Registry(Protocol):
    """Where pods get their images from."""

    def push(self, archive: Path, name: str) -> None:
        """Take an OCI archive in under this name."""


def publish(engine: Engine, registry: Registry) -> None:
    """Build all that releases need, and push it; what was built before comes from the cache."""
    base, servers = debian("base", *BASE), debian("servers", *SERVERS)
    archive = engine.folder / "release.tar"
    for tag in (FIRST, SECOND):
        for name, dockerfile in DOCKERFILES.items():
            if name == "sightline-dev-tak" and tag != FIRST:
                continue
            engine.build(
                ROOT / dockerfile,
                f"type=oci,name={name}:{tag},dest={archive}",
                base=bases(name, base, servers),
                arguments={"VERSION": tag, "REVISION": "0" * 40},
            )
            registry.push(archive, f"{name}:{tag}")
    for name, model in (("models", "demo/demo.onnx"), ("models-broken", "demo/README.md")):
        engine.build(
            IMAGES / "models/Dockerfile",
            f"type=oci,name=sightline-{name}:{FIRST},dest={archive}",
            context=ROOT / "models",
            base={"BASE_IMAGE": base},
            arguments={"MODEL": model},
        )
        registry.push(archive, f"sightline-{name}:{FIRST}")
    engine.build(
        IMAGES / "Dockerfile",
        f"type=oci,name=sightline-e2e-postgres:{FIRST},dest={archive}",
        context=IMAGES,
        base={"SERVERS_IMAGE": servers},
        options=(
            "--opt", "target=postgres", "--opt", "context:programs=local:programs",
            "--local", f"programs={CACHE / 'bin'}",
        ),
    )  # fmt: skip
    registry.push(archive, f"sightline-e2e-postgres:{FIRST}")
    layout = engine.folder / "gateway-layout"
    engine.build(
        ROOT / DOCKERFILES["sightline-cop-gateway"],
        f"type=oci,tar=false,dest={layout}",
        base={"BASE_IMAGE": base},
        arguments={"VERSION": "2.0.0", "REVISION": "0" * 40},
    )
    engine.build(
        IMAGES / "contracting/Dockerfile",
        f"type=oci,name=sightline-cop-gateway:2.0.0,dest={archive}",
        context=IMAGES,
        base={"BASE_IMAGE": layout},
    )
    registry.push(archive, "sightline-cop-gateway:2.0.0")


def bases(name: str, base: Path, servers: Path) -> dict[str, Path]:
    """What its Dockerfile stands on."""
    named = {"BASE_IMAGE": base}
    return {**named, "POSTGRES_IMAGE": servers} if name == "sightline-cli" else named
