from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from saes.activations import cached
from saes.lens import SAE
from saes.llm_labels import OpenAICompatible, label_by_llm
from saes.store import Store, store
from saes.texts import Text
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter, ModelUnavailable
from workbench.suspects.scripted import ScriptedSuspect


@pytest.fixture(scope="module")
def built(
    sae: SAE, suspect: ScriptedSuspect, texts: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:  # fmt: skip
    artifacts = Artifacts(tmp_path_factory.mktemp("labels"))
    rows = [Text(text, str(i)) for i, text in enumerate(texts)]
    return store(artifacts, sae, suspect, cached(artifacts, suspect, rows, [sae.hook_name]))


class Reader:
    """Explains by the bracketed words, and detects by looking for them."""

    def ask(self, prompt: str) -> str:
        said = re.search(r"said to fire on: (.*)\n", prompt)
        if said is None:
            return " ".join(sorted(set(re.findall(r"\[ ?(word\d+)\]", prompt))))
        words = set(said[1].split())
        return ", ".join(
            line.split(".")[0]
            for line in prompt.splitlines()
            if re.match(r"\d+\. ", line) and words & set(re.findall(r"word\d+", line))
        )


def rare(built: Store) -> int:
    """A latent that fires on one word, and not in most texts."""
    rows = built.latents.to_pylist()
    return next(r["latent"] for r in rows if 12 < r["texts"] < 150 and r["label_score"] > 0.95)


def test_a_reader_that_understands_scores_high_and_another_label_low(built: Store) -> None:
    label = label_by_llm(built, rare(built), Reader())
    assert label.text
    assert label.score is not None and label.score > 0.9
    assert label.random is not None and label.random < label.score


def test_a_reader_that_names_everything_is_at_chance(built: Store) -> None:
    class Yes:
        def ask(self, prompt: str) -> str:
            return ", ".join(map(str, range(1, 100)))

    assert label_by_llm(built, rare(built), Yes()).score == 0.5


def test_a_latent_without_examples_is_refused(built: Store) -> None:
    dead = int(built.latents["texts"].to_numpy().argmin())
    with pytest.raises(BadParameter, match="fires in 0 texts"):
        label_by_llm(built, dead, Reader())


@pytest.fixture
def served() -> Iterator[Callable[[bytes], OpenAICompatible]]:
    """A server that answers every request with the same bytes."""
    servers: list[HTTPServer] = []

    def made(body: bytes) -> OpenAICompatible:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                right = self.path == "/v1/chat/completions" and asked["model"] == "m"
                right &= self.headers["Authorization"] == "Bearer k"
                self.send_response(200 if right else 400)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Says nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return OpenAICompatible(f"http://127.0.0.1:{server.server_port}/v1/", "m", "k")

    yield made
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_client_speaks_the_protocol(served: Callable[[bytes], OpenAICompatible]) -> None:
    answer = {"choices": [{"message": {"content": "names of birds"}}]}
    assert served(json.dumps(answer).encode()).ask("what?") == "names of birds"


def test_a_server_that_does_not_answer_says_so(
    served: Callable[[bytes], OpenAICompatible], tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailable, match="gave no answer"):
        served(b"{}").ask("what?")
    with pytest.raises(ModelUnavailable, match="gave no answer"):
        OpenAICompatible("http://127.0.0.1:1/v1", "m").ask("what?")
    with pytest.raises(BadParameter, match="is no URL"):
        OpenAICompatible("file:///etc/passwd", "m")
