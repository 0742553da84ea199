"""Our images in the registry of a cluster: two releases that are good, and some that are not."""

from __future__ import annotations

from container_engine import BASE, CACHE, DOCKERFILES, IMAGES, SERVERS, Engine, bases, debian
from engine import ROOT

FIRST, SECOND = "1.0.0", "1.1.0"
EXPANDING, CONTRACTING = "1.2.0", "2.0.0"
"""Gateways with one more step of the schema: one that the others bear, and one that they do not."""
UNREADY = "1.3.0"
"""Gateways that start and never say that they are ready."""


def publish(engine: Engine, registry: str) -> None:
    """Build all that releases need into a registry; what was built before comes from the cache."""

    def pushed(name: str) -> str:
        return f"type=image,name={registry}/{name},push=true,registry.insecure=true"

    base, servers = debian("base", *BASE), debian("servers", *SERVERS)
    for tag in (FIRST, SECOND, UNREADY):
        for name, dockerfile in DOCKERFILES.items():
            if name == "sightline-dev-tak" and tag != FIRST:
                continue
            if tag == UNREADY and name != "sightline-detection":
                continue  # whose gateway is made below
            engine.build(
                ROOT / dockerfile,
                pushed(f"{name}:{tag}"),
                base=bases(name),
                arguments={"VERSION": tag, "REVISION": "0" * 40},
            )
    for name, model in (("models", "demo/demo.onnx"), ("models-broken", "demo/README.md")):
        engine.build(
            IMAGES / "models/Dockerfile",
            pushed(f"sightline-{name}:{FIRST}"),
            context=ROOT / "models",
            base={"BASE_IMAGE": base},
            arguments={"MODEL": model},
        )
    engine.build(
        IMAGES / "Dockerfile",
        pushed(f"sightline-e2e-postgres:{FIRST}"),
        context=IMAGES,
        base={"SERVERS_IMAGE": servers},
        options=(
            "--opt", "target=postgres", "--opt", "context:programs=local:programs",
            "--local", f"programs={CACHE / 'bin'}",
        ),
    )  # fmt: skip
    layout = engine.folder / "gateway-layout"
    engine.build(
        ROOT / DOCKERFILES["sightline-cop-gateway"],
        f"type=oci,tar=false,dest={layout}",
        base={"BASE_IMAGE": base},
        arguments={"VERSION": CONTRACTING, "REVISION": "0" * 40},
    )
    for tag, oldest in ((EXPANDING, {"OLDEST": "1"}), (CONTRACTING, {})):
        engine.build(
            IMAGES / "later/Dockerfile",
            pushed(f"sightline-cop-gateway:{tag}"),
            context=IMAGES,
            base={"BASE_IMAGE": layout},
            arguments=oldest,
        )
    engine.build(
        IMAGES / "unready/Dockerfile",
        pushed(f"sightline-cop-gateway:{UNREADY}"),
        context=IMAGES,
        base={"BASE_IMAGE": layout},
    )
