"""What a call can fail with."""

from __future__ import annotations

from sightline.messages import Problem


class ClientError(Exception):
    """Base of what a call can fail with; the message is one clear sentence."""


class UnreachableError(ClientError):
    """Nobody answers there, or the connection broke."""


class DeadlineError(ClientError):
    """There was no answer before the call's deadline."""


class AnswerError(ClientError):
    """The answer is not what this call is answered with."""


class ProblemError(ClientError):
    """The service refused: its problem document is `problem`."""

    def __init__(self, problem: Problem, *, retry_after: float | None = None) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem
        self.retry_after = retry_after
        """Seconds after which the service asks to be asked again, where it says so."""
