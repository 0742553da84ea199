"""What is done to make a backup, to restore one, to prove one and to forget one, as values."""

from __future__ import annotations

from sightline.steps import Step


class Dump(Step, frozen=True, kw_only=True, tag="dump"):
    """Dump a database as of one moment, and look into the dump."""

    source: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"dump {self.source} and count what is in the dump"


class Encrypt(Step, frozen=True, kw_only=True, tag="encrypt"):
    """So that only the holders of these keys can read it."""

    recipients: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"encrypt it for {', '.join(self.recipients)}"


class Store(Step, frozen=True, kw_only=True, tag="store"):
    """Have it in its place, its manifest last."""

    where: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"store it in {self.where}"


class Fetch(Step, frozen=True, kw_only=True, tag="fetch"):
    """Have its files on this machine."""

    id: str
    where: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"fetch {self.id} from {self.where}"


class Check(Step, frozen=True, kw_only=True, tag="check"):
    """The digests, of all that is stored."""

    id: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"check that {self.id} is what was stored once"


class Decrypt(Step, frozen=True, kw_only=True, tag="decrypt"):
    """With an identity."""

    id: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"decrypt {self.id}"


class Prepare(Step, frozen=True, kw_only=True, tag="prepare"):
    """A database with nothing in it."""

    where: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"make {self.where}"


class Restore(Step, frozen=True, kw_only=True, tag="restore"):
    """The dump into a database."""

    id: str
    into: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"restore {self.id} into {self.into}"


class Compare(Step, frozen=True, kw_only=True, tag="compare"):
    """Each table's rows, and what is true of every gateway's database."""

    id: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"compare each table and each invariant with {self.id}"


class Swap(Step, frozen=True, kw_only=True, tag="swap"):
    """The restored one gets the name; the one in use keeps its data under another."""

    name: str
    kept: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"let nobody into {self.name}, keep it as {self.kept}, put the restored one there"


class Note(Step, frozen=True, kw_only=True, tag="note"):
    """The outcome, where people and metrics look for it."""

    id: str
    where: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"write down in {self.where} what became of {self.id}"


class Remove(Step, frozen=True, kw_only=True, tag="remove"):
    """A backup that is not kept."""

    id: str
    where: str
    reason: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"remove {self.id} from {self.where}: {self.reason}"


class Serve(Step, frozen=True, kw_only=True, tag="serve"):
    """A gateway on what was restored: it must answer, take in and deliver."""

    into: str

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"start a gateway on {self.into}, ask it, and have it deliver"
