"""Taking frames in: checked, then committed in groups, then answered."""

from cop_gateway.intake.committer import Committed, Committer
from cop_gateway.intake.errors import IntakeBusyError, IntakeError, IntakeFailedError
from cop_gateway.intake.validation import Acceptance, check

__all__ = [
    "Acceptance",
    "Committed",
    "Committer",
    "IntakeBusyError",
    "IntakeError",
    "IntakeFailedError",
    "check",
]
