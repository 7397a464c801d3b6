"""Runs one of the app's worlds as a server of this machine, until it is interrupted."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import sys
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from workbench.errors import ConfigError
from workbench.host.processes import raise_file_limit
from workbench.ui.console_pages.beside import ConsoleSettings, open_console
from workbench.ui.visit import VisitSettings, open_lobby

ADDRESS = "127.0.0.1"
SHOWN_AFTER_TRIES = 600
FRAME_MB = 32
"""The longest websocket frame, in megabytes, that is taken from a browser."""

UPLOAD_MB: Mapping[str, int] = {"team": 1, "console": 1}
"""The largest upload by entry: their pages take none. The bench's do; Streamlit's 200 there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Served:
    """entry: a file of `workbench/ui/entry`. browser: whether one is opened."""

    entry: str
    port: int
    browser: bool


def serve(settings: Served) -> None:
    """Blocks; raises ConfigError where the port is taken."""
    from streamlit.web import bootstrap

    from workbench.ui.theme import options

    refuse_taken(settings.port)
    raise_file_limit()
    flags = {
        "server.port": settings.port,
        "server.address": ADDRESS,
        "server.headless": True,  # else Streamlit offers each visitor to write into this folder
        "server.fileWatcherType": "none",
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.allowedHosts": [ADDRESS, "localhost"],
        "server.maxMessageSize": FRAME_MB,
        "server.maxUploadSize": UPLOAD_MB.get(settings.entry, 200),
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        **options(),
    }
    given = {key.replace(".", "_"): value for key, value in flags.items()}
    bootstrap.load_config_options(flag_options=given)
    entry = Path(__file__).parent / "entry" / f"{settings.entry}.py"
    if settings.browser:
        threading.Thread(target=_show, args=(settings.port,), daemon=True).start()
    bootstrap.run(str(entry), False, [], given)


def _show(port: int) -> None:
    """Opens a browser once the server answers, where there is a screen."""
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        return
    for _ in range(SHOWN_AFTER_TRIES):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://{ADDRESS}:{port}/_stcore/health", timeout=5).close()
            webbrowser.open(f"http://{ADDRESS}:{port}")
            return
        time.sleep(0.2)


@dataclasses.dataclass(frozen=True, slots=True)
class ServedTeam:
    """A team's pages in a process of their own."""

    served: Served
    visit: VisitSettings


def serve_team(settings: ServedTeam) -> None:
    """As `serve`; the token stays in this process."""
    open_lobby(settings.visit)
    serve(settings.served)


def serve_console(served: Served, settings: ConsoleSettings) -> None:
    """As `serve`, for an organiser."""
    open_console(settings)
    serve(served)


def refuse_taken(port: int) -> None:
    """Raises ConfigError where another program listens there."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((ADDRESS, port))
        except OSError as error:
            raise ConfigError(
                f"port {port}: {error.strerror}", hint="Give another --port."
            ) from None
