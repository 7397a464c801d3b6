"""Many techniques on one suspect: what to run, whether it was run before, and running it."""

from workbench.battery.battery import Battery, Step
from workbench.battery.engines import Crew
from workbench.battery.runner import run
from workbench.battery.source import Source, SuspectFiles

__all__ = ["Battery", "Crew", "Source", "Step", "SuspectFiles", "run"]
