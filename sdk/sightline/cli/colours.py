"""`sightline colours`: see both colours of a release, switch users between them, and back."""

from __future__ import annotations

import getpass
import socket
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sightline.cli import exits
from sightline.cli.cluster import Session, cluster_options, session, tell
from sightline.cli.duration import Duration
from sightline.cli.effects import document
from sightline.cli.environment import chosen
from sightline.cli.failure import Failure
from sightline.cli.writing_back import git_drift, tell_git

if TYPE_CHECKING:
    from sightline.colours.colour import Colour, Component
    from sightline.colours.finding import Finding
    from sightline.colours.namespace import Prepared
    from sightline.colours.plan import Haste, Plan
    from sightline.colours.receipt import Receipt
    from sightline.colours.standing import Standing

_COLOUR = click.Choice(["blue", "green"])
_MARKS = {"ok": "✓", "failed": "✗", "warning": "!"}


def _switch_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--receipt", "receipt_file", type=click.Path(dir_okay=False, path_type=Path),
                     help="Write the receipt here, too."),
        click.option("--probe", metavar="URL",
                     help="Ask this all the while, and count failures (…/health of -active)."),
        click.option("--reason", help="Why; kept in the receipt."),
        click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
        _component,
        click.option("--to", type=_COLOUR, help="By default the colour that serves no users."),
    ):  # fmt: skip
        command = option(command)
    return command


_component = click.option(
    "--component", "components", multiple=True, type=click.Choice(["cop-gateway", "detection"]),
    help="Only this one (twice: both).",
)  # fmt: skip
_smoke = click.option(
    "--smoke/--no-smoke", "with_smoke", default=True, show_default=True,
    help="Send a simulated frame through the colour first, and take its tracks back.",
)  # fmt: skip


@click.group()
def colours() -> None:
    """Switch users between the two colours of a release in Kubernetes."""


def _findings(found: tuple[Finding, ...], *, err: bool) -> None:
    for each in found:
        click.echo(f"{_MARKS[each.outcome]} {each.check}: {each.sentence}", err=err)


@colours.command()
@cluster_options
def status(*, as_json: bool, **place: Any) -> None:
    """How both colours stand, and what should be looked at."""
    with session(**place) as there:
        found = there.namespace.status()
        if (env := chosen(place["env"])) is not None:
            drift = git_drift(env, there, found)
            found = msgspec.structs.replace(found, findings=(*found.findings, *drift))
        if as_json:
            document(found)
        else:
            _stands(found)


def _stands(found: Standing) -> None:
    for each in found.colours:
        parts = [
            "serves users" if each.active else "idle",
            f"version {', '.join(each.versions) or '-'}",
            f"{each.ready} of {each.wanted} ready",
        ]
        if each.floor is not None:
            parts.append(f"{each.floor} to {each.most} pods")
        if each.draining:
            parts.append(f"{each.draining} drained")
        if each.undelivered is not None:
            parts.append(f"{each.undelivered} undelivered")
        if each.sinks:
            parts.append(f"holds {', '.join(each.sinks)}")
        click.echo(f"{each.component}-{each.colour}: {'; '.join(parts)}")
        for trouble in each.troubles:
            click.echo(f"  {trouble}")
    _findings(found.findings, err=False)


@colours.command()
@click.option("--to", type=_COLOUR, help="By default the colour that serves no users.")
@click.option("--release", type=_COLOUR,
              help="Instead: may this colour be released into, or scaled down?")  # fmt: skip
@_component
@_smoke
@cluster_options
def preflight(
    *,
    to: Colour | None,
    release: Colour | None,
    components: tuple[Component, ...],
    with_smoke: bool,
    as_json: bool,
    **place: Any,
) -> None:
    """Look at everything that a switch looks at, and change nothing."""
    from sightline.colours.finding import failures  # noqa: PLC0415 - after --help

    if to is not None and release is not None:
        raise click.UsageError("--to and --release exclude each other")
    with session(**place) as there:
        if release is not None:
            colour, found = release, there.namespace.releasable(release)
        else:
            smoke = there.smoke if with_smoke else None
            colour, found = there.namespace.preflight(to, components, smoke=smoke)
        bad = failures(found)
        if as_json:
            document({"colour": colour, "ready": not bad, "findings": found})
        else:
            _findings(found, err=False)
    if bad:
        purpose = "switch" if release is None else "release"
        raise Failure(f"{colour} is not ready for a {purpose}: {bad[0].sentence}")


@colours.command()
@_switch_options
@_smoke
@click.option("--wait", type=Duration(), default=300.0,
              help="For pods to become ready (5m).")  # fmt: skip
@cluster_options
def switch(*, with_smoke: bool, **asked: Any) -> None:
    """Lead users to the other colour, once it has passed preflight."""
    _switch("orderly", with_smoke=with_smoke, **asked)


@colours.command()
@_switch_options
@click.option("--wait", type=Duration(), default=120.0,
              help="For pods to become ready, where there are none (2m).")  # fmt: skip
@cluster_options
def rollback(**asked: Any) -> None:
    """Lead users back to the colour before: in seconds where that still runs."""
    _switch("rollback", with_smoke=False, **asked)


def _switch(
    haste: Haste,
    *,
    to: Colour | None,
    components: tuple[Component, ...],
    with_smoke: bool,
    dry_run: bool,
    reason: str | None,
    wait: float,
    probe: str | None,
    receipt_file: Path | None,
    as_json: bool,
    **place: Any,
) -> None:
    if receipt_file is not None and not receipt_file.absolute().parent.is_dir():
        raise Failure(
            f"--receipt: the folder {receipt_file.parent} does not exist", code=exits.USAGE
        )
    with session(**place) as there:
        smoke = there.smoke if with_smoke and not dry_run else None
        prepared = _prepared(
            there, to, components, haste=haste, smoke=smoke, checked=not dry_run, as_json=as_json
        )
        if prepared.plan is None:
            tell(f"users are led to {prepared.to} already: nothing to do")
            if as_json:
                document({"outcome": "nothing", "to": prepared.to})
            return
        if prepared.plan.cold:
            tell(f"cold: {', '.join(prepared.plan.cold)} must come up before traffic moves")
        if dry_run:
            _show(prepared.plan, prepared.findings, as_json=as_json)
            return
        env = chosen(place["env"])
        probe = probe or (None if env is None else env.probe_url)
        receipt = _made(there, prepared, reason=reason, wait=wait, probe=probe)
        if env is not None and receipt is not None:
            tell_git(env, there, receipt)
    if receipt is not None:
        _conclude(receipt, receipt_file, as_json=as_json)


def _prepared(
    there: Session, to: Colour | None, components: tuple[Component, ...], *, as_json: bool,
    **how: Any,
) -> Prepared:  # fmt: skip
    from sightline.colours.errors import RefusedError  # noqa: PLC0415 - after --help

    try:
        prepared = there.namespace.prepared(to, components, **how)
    except RefusedError as error:
        _findings(error.findings, err=True)
        if as_json:
            document({"outcome": "refused", "problem": str(error), "findings": error.findings})
        raise
    _findings(prepared.findings, err=True)
    return prepared


def _show(plan: Plan, findings: tuple[Finding, ...], *, as_json: bool) -> None:
    if as_json:
        document({"plan": plan, "findings": findings})
        return
    for step in plan.steps:
        click.echo(step.sentence)


def _made(
    there: Session, prepared: Prepared, *, reason: str | None, wait: float, probe: str | None
) -> Receipt | None:
    from sightline.colours.account import Account  # noqa: PLC0415 - after --help
    from sightline.colours.ports import SystemClock  # noqa: PLC0415
    from sightline.colours.probe import Probe  # noqa: PLC0415

    account = Account(
        SystemClock(),
        id=uuid.uuid4().hex[:12],
        who=f"{getpass.getuser()}@{socket.gethostname()}",
        kubernetes_user=there.user(),
        reason=reason,
    )
    prober = None if probe is None else Probe(probe, prepared.to)
    if prober is not None:
        prober.start()
    return there.namespace.switch(prepared, account, wait=wait, prober=prober)


def _conclude(receipt: Receipt, file: Path | None, *, as_json: bool) -> None:
    if file is not None:
        text = msgspec.json.format(msgspec.json.encode(receipt), indent=2) + b"\n"
        file.write_bytes(text)
    if as_json:
        document(receipt)
    else:
        _told(receipt)
    problems = "; ".join(receipt.problems)
    if receipt.outcome == "unfinished":
        raise Failure(
            f"users are led to {receipt.to}, and not all was finished: {problems}"
            if receipt.moved_after is not None or not receipt.moves
            else f"not all was finished: {problems}",
            code=exits.UNFINISHED,
        )
    if receipt.outcome == "overtaken":
        raise Failure(f"see `sightline colours status`: {problems}", code=exits.CONFLICT)
    if receipt.outcome != "done":
        code = exits.CONFLICT if receipt.outcome == "conflict" else exits.FAILED
        raise Failure(f"users are led to {receipt.from_} as before: {problems}", code=code)


def _told(receipt: Receipt) -> None:
    moved = f", traffic moved after {receipt.moved_after:g} s" if receipt.moved_after else ""
    click.echo(
        f"{receipt.kind} {receipt.id} {receipt.from_} → {receipt.to}: {receipt.outcome} in"
        f" {receipt.seconds:g} s{moved}"
    )
    if receipt.sinks is not None and receipt.sinks.seconds is not None:
        click.echo(f"sinks held by {receipt.to} {receipt.sinks.seconds:g} s after the drain")
    if receipt.undelivered is not None:
        click.echo(f"undelivered in {receipt.from_}: {receipt.undelivered}")
    if (probe := receipt.probe) is not None:
        first = probe.first_new_colour_seconds
        met = "never met" if first is None else f"met after {first:g} s"
        click.echo(
            f"probe: {probe.failures} of {probe.requests} requests failed; {receipt.to} {met}"
        )
