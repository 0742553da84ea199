"""`sightline init`: write a new environment, by answering questions or by options."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import click

from sightline.cli import exits
from sightline.cli.effects import document, dry_run_option, json_option, yes_option
from sightline.cli.environment import checkout
from sightline.cli.failure import Failure, missing

HEAD = "# yaml-language-server: $schema=schema.json\n"


@click.command()
@click.argument("name")
@click.option("--context", help="Of the kubeconfig.")
@click.option("--namespace", help="Where Sightline is, or is to be.")
@click.option(
    "--registry", help="Before each image's name, such as registry.example.org/sightline."
)
@click.option(
    "--values", "values", multiple=True, help="Values files of the chart, in their order."
)
@click.option("--public-key", help="File with the key that images' signatures are checked with.")
@click.option(
    "--approvals", type=click.IntRange(0, 100), help="People who must agree to a release."
)
@click.option("--write-back", is_flag=True, default=None, help="Tell Git which colour serves.")
@click.option("--force", is_flag=True, help="Over a file that is there.")
@json_option
@yes_option
@dry_run_option
def init(*, name: str, force: bool, as_json: bool, yes: bool, dry_run: bool, **asked: Any) -> None:
    """Write environments/NAME.yaml: what is not said by options is asked."""
    try:
        from sightline.environments import EnvironmentFileError, reading  # noqa: PLC0415
    except ImportError as error:
        raise missing(error, "deploy") from error
    root = checkout()
    file = root / reading.FOLDER / f"{name}.yaml"
    if file.exists() and not force:
        raise Failure(f"{file} is there already: --force writes over it", code=exits.USAGE)
    talks = not yes and sys.stdin.isatty()
    text = HEAD + _written(_answers(name, root, asked) if talks else _given(name, root, asked))
    try:
        found = reading.parse(text, where=str(file))
    except EnvironmentFileError as error:
        raise Failure(str(error), code=exits.USAGE) from error
    problems = reading.missing(found, root)
    if dry_run:
        click.echo(text, nl=False)
        return
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    if as_json:
        document({"file": str(file), "environment": found, "missing": problems})
        return
    click.echo(f"{file} is written")
    for each in problems:
        click.echo(f"! {each}")
    click.echo(f"next: sightline doctor --env {name}")


def _given(name: str, root: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """What options say; the rest as it usually is."""
    own = f"deploy/helm/sightline/values-{name}.yaml"
    values = list(asked["values"]) or ([own] if (root / own).exists() else [])
    signed = asked["public_key"] is not None
    registry = asked["registry"]
    made: dict[str, Any] = {"name": name}
    cluster = {"context": asked["context"], "namespace": asked["namespace"]}
    made["cluster"] = {key: value for key, value in cluster.items() if value}
    made["chart"] = {"values": values} if values else {}
    images = {"registry": registry, "public_key": asked["public_key"]}
    made["images"] = {key: value for key, value in images.items() if value}
    if not signed:
        # Said, and not left out: whoever reads the file sees what is not asked for.
        made["guards"] = {"signed_images": False}
    if asked["approvals"]:
        made["approvals"] = {"required": asked["approvals"]}
    if asked["write_back"]:
        made["git"] = {"file": f"environments/colours/{name}.yaml"}
    return {key: value for key, value in made.items() if value}


def _answers(name: str, root: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Each question once; an option has answered its own."""
    answers = dict(asked)

    def ask(option: str, question: str, default: str) -> None:
        if answers[option] is None:
            said = click.prompt(question, default=default, show_default=bool(default), err=True)
            answers[option] = str(said).strip() or None

    contexts = _contexts()
    if contexts:
        click.echo(f"Contexts of the kubeconfig: {', '.join(contexts)}", err=True)
    ask("context", "Context", contexts[0] if len(contexts) == 1 else "")
    ask("namespace", "Namespace", "detection-system")
    ask("registry", "Registry (empty: the nodes have all images)", "")
    if not answers["values"]:
        own = f"deploy/helm/sightline/values-{name}.yaml"
        said = click.prompt("Values file", default=own if (root / own).exists() else "", err=True)
        answers["values"] = (said,) if said else ()
    if answers["registry"]:
        ask("public_key", "Key that signatures are checked with (empty: images are not signed)", "")
    if answers["approvals"] is None:
        answers["approvals"] = click.prompt(
            "People who must agree to a release", default=0, type=click.IntRange(0, 100), err=True
        )
    if answers["write_back"] is None:
        answers["write_back"] = click.confirm(
            "Tell Git which colour serves (Argo CD, a rebuilt cluster)?", default=True, err=True
        )
    return _given(name, root, answers)


def _contexts() -> list[str]:
    try:
        from kubernetes import config  # noqa: PLC0415 - an extra

        found, _ = config.list_kube_config_contexts()  # type: ignore[no-untyped-call]
    except (ImportError, OSError):
        return []
    except config.ConfigException:
        return []
    return [str(each["name"]) for each in found]


def _written(made: dict[str, Any]) -> str:
    from ruamel.yaml import YAML  # noqa: PLC0415 - an extra

    yaml = YAML(pure=True)
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    yaml.dump(made, out)
    return out.getvalue()
