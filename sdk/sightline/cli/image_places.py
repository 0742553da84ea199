"""What commands about images have in common: where an image is, keys, and how failures are told."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli import exits
from sightline.cli.failure import Failure, missing

if TYPE_CHECKING:
    from sightline.images.keys import PrivateKey, PublicKey
    from sightline.images.oci import Descriptor, Platform
    from sightline.images.registry import Access
    from sightline.images.store import Source, Target

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

registry_option = click.option(
    "--registry", metavar="HOST[:PORT][/PATH]", help="The registry, with or without a path in it."
)
key_option = click.option("--key", type=FILE, help="The private key: cosign's, or PKCS#8 in PEM.")
password_option = click.option(
    "--password-file", type=FILE,
    help="File with the key's password; by default COSIGN_PASSWORD of the environment.",
)  # fmt: skip
public_key_option = click.option(
    "--public-key", type=FILE, help="The public key, in PEM; by default the environment's."
)
platform_option = click.option(
    "--platform", metavar="OS/ARCH", help="Of an image for several platforms, which."
)


def by_option(why: str) -> Callable[[Any], Any]:
    """--with: what lists the packages of an image."""
    return click.option(
        "--with", "by", type=click.Choice(["auto", "syft", "metadata"]), default="auto",
        show_default=True, help=why,
    )  # fmt: skip


def access_options(command: Callable[..., None]) -> Callable[..., None]:
    """--ca-file and --plain-http."""
    for option in (
        click.option("--plain-http", is_flag=True,
                     help="Reach a registry that is not on this machine without TLS."),
        click.option("--ca-file", type=FILE,
                     help="Certificates to trust a registry by, instead of the system's."),
    ):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True, kw_only=True)
class There:
    """A registry and keys, by options or by an environment."""

    registry: str | None = None
    """As this machine names it."""
    known_as: str | None = None
    """As a cluster's nodes name it."""
    platforms: tuple[str, ...] = ()
    ca_file: Path | None = None
    plain_http: bool = False
    public_key: Path | None = None
    key: Path | None = None

    @property
    def access(self) -> dict[str, Any]:
        """For `access` and `place`."""
        return {"ca_file": self.ca_file, "plain_http": self.plain_http}


def environment(
    name: str | None,
    *,
    registry: str | None = None,
    ca_file: Path | None = None,
    plain_http: bool = False,
    public_key: Path | None = None,
    key: Path | None = None,
) -> There:
    """What an environment says, overruled by options."""
    from sightline.cli.environment import checkout, chosen  # noqa: PLC0415 - after --help

    found = chosen(name)
    if found is None:
        return There(
            registry=registry, known_as=registry, ca_file=ca_file, plain_http=plain_http,
            public_key=public_key, key=key,
        )  # fmt: skip
    root, images = checkout(), found.images

    def file(given: Path | None, said: str | None) -> Path | None:
        return given or (None if said is None else root / said)

    return There(
        registry=registry or images.reached_as or images.registry,
        known_as=registry or images.registry,
        platforms=images.platforms,
        ca_file=file(ca_file, images.ca_file),
        plain_http=plain_http or images.insecure,
        public_key=file(public_key, images.public_key),
        key=file(key, images.signing_key),
    )


@dataclass(frozen=True, kw_only=True)
class Place:
    """An image, and what it is called."""

    source: Source
    image: Descriptor
    name: str
    tag: str | None
    path: Path | None
    """None for one in a registry."""

    @property
    def target(self) -> Target:
        """To put something beside it. Raises Failure for an archive."""
        from sightline.images.layout import Folder  # noqa: PLC0415 - after --help
        from sightline.images.registry import Repository  # noqa: PLC0415

        if isinstance(self.source, (Folder, Repository)):
            return self.source
        raise Failure(f"{self.path} is an archive, which is only read: unpack it into a folder")


def place(text: str, *, ca_file: Path | None, plain_http: bool) -> Place:
    """A layout or an archive where there is such a path, else an image in a registry."""
    from sightline.images import layout, oci, reference  # noqa: PLC0415 - after --help

    path = Path(text)
    if path.exists():
        source = layout.opened(path)
        image = source.image
        name, _, tag = image.annotations.get(oci.NAME, "").rpartition(":")
        return Place(source=source, image=image, name=name or path.name, tag=tag or None, path=path)
    if "/" not in text or text.startswith((".", "/")):
        raise Failure(f"{text}: there is no such layout or archive", code=exits.USAGE)
    wanted = reference.parse(text)
    from sightline.images.registry import Repository  # noqa: PLC0415 - an extra

    reach = access(wanted.registry, ca_file=ca_file, plain_http=plain_http)
    repository = Repository(wanted.registry, wanted.repository, reach)
    return Place(
        source=repository,
        image=repository.find(wanted.wanted),
        name=wanted.name,
        tag=wanted.tag,
        path=None,
    )


def access(registry: str, *, ca_file: Path | None, plain_http: bool) -> Access:
    """How it is reached, with who we are there."""
    from sightline.images import logins  # noqa: PLC0415 - after --help
    from sightline.images.registry import Access  # noqa: PLC0415

    host = registry.partition("/")[0]
    return Access(login=logins.login(host), ca_file=ca_file, plain=plain_http)


def repository(registry: str, name: str, reach: Access) -> Any:
    """One of a registry that may have a path in its name."""
    from sightline.images.reference import parse  # noqa: PLC0415 - after --help
    from sightline.images.registry import Repository  # noqa: PLC0415

    wanted = parse(f"{registry}/{name}")
    return Repository(wanted.registry, wanted.repository, reach)


def private(key: Path, password_file: Path | None) -> PrivateKey:
    """Of files."""
    from sightline.images import keys  # noqa: PLC0415 - an extra

    return keys.private_file(key, password_file)


def public(key: Path | None) -> PublicKey:
    """Of a file."""
    if key is None:
        raise Failure("say which key: --public-key or --env", code=exits.USAGE)
    from sightline.images import keys  # noqa: PLC0415 - an extra

    return keys.public_file(key)


def platform(text: str | None) -> Platform | None:
    """Of an option."""
    from sightline.images import oci  # noqa: PLC0415 - after --help

    return None if text is None else oci.parse_platform(text)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What can go wrong, as one sentence and an exit code."""
    from sightline.images.errors import ImageError, MisnamedError, ToolError  # noqa: PLC0415

    try:
        yield
    except MisnamedError as error:
        raise Failure(str(error), code=exits.USAGE) from error
    except ToolError as error:
        absent = "is not installed" in str(error)
        raise Failure(str(error), code=exits.MISSING if absent else exits.FAILED) from error
    except ImageError as error:
        raise Failure(str(error)) from error
    except ImportError as error:
        raise missing(error, "deploy") from error
