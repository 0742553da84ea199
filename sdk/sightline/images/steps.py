"""What is done with images, step by step."""

from __future__ import annotations

from sightline.steps import Step


class BuildImage(Step, frozen=True, kw_only=True, tag="build"):
    """Into a layout."""

    image: str
    dockerfile: str
    platforms: tuple[str, ...]
    output: str

    @property
    def sentence(self) -> str:
        """What is done."""
        platforms = ", ".join(self.platforms) or "this machine's platform"
        return f"build {self.image} for {platforms} into {self.output}"


class StateProvenance(Step, frozen=True, kw_only=True, tag="provenance"):
    """Beside the layout."""

    image: str
    commit: str
    dirty: bool
    output: str

    @property
    def sentence(self) -> str:
        """What is done."""
        dirty = " and what is not committed" if self.dirty else ""
        return f"write down that {self.image} is of {self.commit[:12]}{dirty}, into {self.output}"


class SignImage(Step, frozen=True, kw_only=True, tag="sign"):
    """And what is said about it."""

    image: str
    key: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"sign {self.image}, and what is said about it, with {self.key}"


class SignFile(Step, frozen=True, kw_only=True, tag="sign-file"):
    """Beside it."""

    file: str
    key: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"sign {self.file} with {self.key}, into {self.file}.sig"


class LoadImage(Step, frozen=True, kw_only=True, tag="load"):
    """Into docker's engine."""

    image: str
    tags: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"take {self.image}:{', '.join(self.tags)} into the container engine"


class PushImage(Step, frozen=True, kw_only=True, tag="push"):
    """With what belongs to it."""

    image: str
    target: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"push {self.image}, its signatures and statements to {self.target}"


class PackBundle(Step, frozen=True, kw_only=True, tag="bundle"):
    """For a site without a network."""

    images: tuple[str, ...]
    output: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"pack {', '.join(self.images)}, the chart, SBOMs and provenance into {self.output}"


class CheckBundle(Step, frozen=True, kw_only=True, tag="check-bundle"):
    """Before anything of it is used."""

    bundle: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"check every file of {self.bundle} and its signature"


class LoadBundle(Step, frozen=True, kw_only=True, tag="load-bundle"):
    """When all of it was checked."""

    bundle: str
    into: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"take the images of {self.bundle} into {self.into}"
