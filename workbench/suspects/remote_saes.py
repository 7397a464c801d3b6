"""SAE directories of the client, handed to a host once, so that interventions can name them."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import BadParameter
from workbench.suspects.connection import Connection
from workbench.suspects.wire import Frame

FILES = ("cfg.json", "sae_weights.safetensors")


class SharedSaes:
    """What was handed over, by path and state of the files."""

    def __init__(self, host: Connection) -> None:
        self._host = host
        self._shared: dict[tuple[object, ...], str] = {}

    def share(self, directory: Path) -> str:
        """The name under which the host keeps this SAE for this token's owner."""
        try:
            files = [directory / name for name in FILES]
            state = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files)
            if state not in self._shared:
                frame = Frame({"files": list(FILES)}, tuple(f.read_bytes() for f in files))
                self._shared[state] = str(self._host.send("/audit/saes", frame)["name"])
        except OSError as error:
            raise BadParameter(
                f"no SAE in {directory}: {error.strerror}",
                hint="Give a directory that `sae train` wrote.",
            ) from None
        return self._shared[state]
