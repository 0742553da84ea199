"""`sightline detect`: what the service sees in pictures."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sightline.cli import exits, pictures
from sightline.cli.failure import Failure, missing
from sightline.cli.keys import key_of, key_option
from sightline.messages import DetectResult, Frame, encode

if TYPE_CHECKING:
    from sightline.cli.looking import Tally
    from sightline.client import AsyncClient, Tiles


class _Tiles(click.ParamType["Tiles"]):
    name = "auto|off|PIXELS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Tiles:
        if value in ("auto", "off"):
            return "auto" if value == "auto" else "off"
        if not (value.isascii() and value.isdigit() and int(value)):
            self.fail(f"{value!r} is neither auto nor off nor a number of pixels", param, ctx)
        return int(value)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the command line asks for, beside where."""

    images: tuple[Path, ...]
    frames: dict[Path, Frame]
    targets: dict[Path, Path]
    parallel: int
    as_json: bool
    model: str | None
    confidence: float | None
    tiles: Tiles | None


def _images(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[Path, ...]:
    try:
        return pictures.named(value)
    except click.BadParameter as error:
        raise click.BadParameter(error.message, ctx, param) from error


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", callback=_images)
@click.option("--url", default="http://127.0.0.1:8000", show_default=True,
              help="Where the detection service listens.")  # fmt: skip
@click.option("--model", help="The model to ask; else the service's default one.")
@click.option("--confidence", type=click.FloatRange(0, 1),
              help="Leave out what scores less; else as the service is set.")  # fmt: skip
@click.option("--tiles", type=_Tiles(),
              help="How a large image is cut up; else as the service is set.")  # fmt: skip
@click.option("--parallel", type=click.IntRange(1, 256), default=4, show_default=True,
              help="Images under way at once.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0, 3600, min_open=True), default=30.0,
              show_default=True, help="Seconds for each image, all attempts included.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document for all images.")
@click.option("--save", type=click.Path(path_type=Path), metavar="PATH",
              help="Save annotated pictures: a folder, or a file for one image.")  # fmt: skip
@click.option("--frames", "with_frames", is_flag=True,
              help="Send the frame in the .json beside each image, to commit it.")  # fmt: skip
@key_option
def detect(
    images: tuple[Path, ...],
    *,
    url: str,
    timeout: float,
    save: Path | None,
    with_frames: bool,
    key_file: Path | None,
    **asked: Any,
) -> None:
    """Send each IMAGE to the detection service and show what it found.

    IMAGE is a file, a folder (with all below it) or a pattern in quotes, such as 'day-*/**/*.jpg'.
    """
    try:
        from sightline.cli.annotation import targets  # noqa: PLC0415 - after --help
        from sightline.client import AsyncClient, ClientError  # noqa: PLC0415
    except ImportError as error:
        raise missing(error, "cli") from error
    wanted = Wanted(
        images=images,
        frames={path: pictures.frame_beside(path) for path in images} if with_frames else {},
        targets={} if save is None else targets(save, images),
        **asked,
    )
    try:
        client = AsyncClient(
            url, key=key_of(key_file), deadline=timeout, connections=wanted.parallel
        )
    except ClientError as error:
        raise Failure(f"--url: {error}", code=exits.USAGE) from error
    try:
        tally = asyncio.run(_run(client, wanted))
    except ClientError as error:
        raise Failure(str(error)) from error
    if tally.failed:
        raise click.exceptions.Exit(exits.FAILED)


async def _run(client: AsyncClient, wanted: Wanted) -> Tally:
    from sightline.cli.annotation import annotate  # noqa: PLC0415 - after --help
    from sightline.cli.looking import Looking, Tally  # noqa: PLC0415
    from sightline.cli.screen import Screen, is_watched  # noqa: PLC0415

    async def ask(path: Path, image: bytes) -> DetectResult:
        return await client.detect(
            image,
            frame=wanted.frames.get(path),
            model=wanted.model,
            confidence=wanted.confidence,
            tiles=wanted.tiles,
        )

    def save(path: Path, result: DetectResult) -> None:
        annotate(path, result, wanted.targets[path])

    looking = Looking(ask=ask, save=save if wanted.targets else None, parallel=wanted.parallel)
    answers: dict[str, msgspec.Raw] = {}
    tally, began = Tally(), time.monotonic()
    async with client:
        with Screen(len(wanted.images), bar=is_watched() and not wanted.as_json) as screen:
            async for seen in looking.over(wanted.images):
                tally = tally.with_(seen)
                screen.advance(tally, seconds=time.monotonic() - began)
                if seen.result is not None and wanted.as_json:
                    answers[str(seen.path)] = msgspec.Raw(encode(seen.result))
                elif seen.result is not None:
                    screen.table(seen)
                if seen.error is not None:
                    screen.say(f"sightline: {seen.path}: {seen.error}")
                elif wanted.targets:
                    screen.say(f"saved {wanted.targets[seen.path]}")
    if wanted.as_json:
        click.echo(msgspec.json.encode(answers))
    click.echo(tally.line(time.monotonic() - began), err=True)
    return tally
