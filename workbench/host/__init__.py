"""The server: an API process, a model worker process, budgets, jobs and the ledger's one writer."""

from workbench.host.supervisor import Admission, Host, HostSettings

__all__ = ["Admission", "Host", "HostSettings"]
