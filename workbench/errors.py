"""Every error that the workbench raises on purpose, in one tree.

WorkbenchError
  ConfigError
    UnknownTechnique · BrokenTechnique · BadParameter · DuplicateTechnique
      KeyReused · TooLong (each a BadParameter)
  SuspectError
    UnsafeFile · NotASuspect · ModelUnavailable
  AccessError
    AccessDenied · BudgetExceeded
  TechniqueFailed
  LedgerError
    LedgerBusy · LedgerTooNew · LedgerDamaged
  GameError
    NotJoined · GameClosed · TooManySubmissions
  SealError
    SealStillClosed · SealBroken

Each carries two lines for a person: what happened (with the value), and what to do.
The command line prints both without a traceback and exits with code 2.
"""

from __future__ import annotations


class WorkbenchError(Exception):
    """Base of the tree: `message` says what happened, `hint` what to do about it."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, tuple[type[WorkbenchError], str, str]]:
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[WorkbenchError], message: str, hint: str) -> WorkbenchError:
    return kind(message, hint=hint)


class ConfigError(WorkbenchError):
    """A battery, parameter or command was written wrongly."""


class UnknownTechnique(ConfigError):
    """No installed technique (or family, or auditor) has this name."""


class BrokenTechnique(ConfigError):
    """An installed technique cannot be imported or breaks the plugin contract."""


class BadParameter(ConfigError):
    """A parameter is unknown, of the wrong type or out of its range."""


class KeyReused(BadParameter):
    """An idempotency key was sent again with another request."""


class TooLong(BadParameter):
    """A text has more tokens than fit into the suspect's context."""


class DuplicateTechnique(ConfigError):
    """Two installed packages bring a technique of the same name."""


class SuspectError(WorkbenchError):
    """A suspect cannot be loaded or used."""


class UnsafeFile(SuspectError):
    """A model file could run code, exhaust the machine or poison the numbers."""


class NotASuspect(SuspectError):
    """The source is no bundled name, no model directory and no hub id."""


class ModelUnavailable(SuspectError):
    """A hub model can neither be reached nor found in the local cache; or a host does not serve."""


class AccessError(WorkbenchError):
    """What was asked for lies outside the granted view."""


class AccessDenied(AccessError):
    """The view lacks an access flag."""


class BudgetExceeded(AccessError):
    """The call would spend more than what is left; nothing was spent."""


class TechniqueFailed(WorkbenchError):
    """A plugin raised, hung or returned nonsense; its run is recorded as failed."""


class LedgerError(WorkbenchError):
    """The findings database cannot be used."""


class LedgerBusy(LedgerError):
    """Another process is writing to the ledger."""


class DiskFull(LedgerError):
    """There is no room left on the disk."""


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer version of the workbench."""


class LedgerDamaged(LedgerError):
    """The ledger's file or its hash chain is broken."""


class GameError(WorkbenchError):
    """A game refused a move."""


class NotJoined(GameError):
    """The token belongs to no team of this game."""


class GameClosed(GameError):
    """The phase does not allow this move."""


class TooManySubmissions(GameError):
    """No revision is left."""


class SealError(WorkbenchError):
    """A seal cannot be opened or does not verify."""


class SealStillClosed(SealError):
    """The truth stays sealed until the game closes."""


class SealBroken(SealError):
    """Commitment and content do not belong together."""
