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


class LoadImage(Step, frozen=True, kw_only=True, tag="load"):
    """Into docker's engine."""

    image: str
    tag: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"take {self.image}:{self.tag} into the container engine"


class PushImage(Step, frozen=True, kw_only=True, tag="push"):
    """With what belongs to it."""

    image: str
    target: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"push {self.image}, its signatures and statements to {self.target}"


class ScanImage(Step, frozen=True, kw_only=True, tag="scan"):
    """Every layer."""

    image: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"look for secrets and vulnerabilities in {self.image}"


class ListPackages(Step, frozen=True, kw_only=True, tag="sbom"):
    """An SBOM."""

    image: str
    output: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"list the packages of {self.image} in {self.output}"


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
