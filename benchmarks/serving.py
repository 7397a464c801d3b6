"""`workbench serve` under concurrent clients, against the same calls one after another through
transformers' generate: as ratios of wall time, measured by turns in the same run.

    python benchmarks/serving.py [--suspect alder] [--clients 16] [--rounds 5]

Both take the likeliest token, so both make the same replies; where one differs, it is counted.
Then, first tokens: how long a streamed call waits for its first piece, alone and while all the
clients stream. Writes benchmarks/results/serving.json.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "serving.json"
SUBJECTS = (
    "bread", "the sea", "a garden", "music", "winter", "chess", "a river", "the moon",
    "tea", "a market", "horses", "an old house", "gold", "trees", "a school", "the wind",
)  # fmt: skip
NEW_TOKENS = 64


def prompts(count: int) -> list[list[dict[str, str]]]:
    """One conversation per client."""
    asked = [f"Tell me about {SUBJECTS[i % len(SUBJECTS)]}." for i in range(count)]
    return [[{"role": "user", "content": text}] for text in asked]


@contextmanager
def serving(suspect: str, folder: Path) -> Iterator[tuple[str, int]]:
    """A server of its own on a free port."""
    command = [sys.executable, "-m", "workbench.cli", "serve", suspect, "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, "--ledger", str(folder / "ledger.duckdb")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield told["model"], int(told["url"].rsplit(":", 1)[1].split("/")[0])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


class Client:
    """A connection for each call: the host closes those that wait for more than 5 s."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, turns: list[dict[str, str]]) -> str:
        response = self._post(turns, stream=False)
        return str(json.loads(response.read())["choices"][0]["message"]["content"])

    def first_piece(self, turns: list[dict[str, str]]) -> float:
        """Seconds until the first words came; reads the rest."""
        start = time.perf_counter()
        response = self._post(turns, stream=True)
        first = 0.0
        while line := response.readline():
            if not first and b'"content": "' in line and b'"content": ""' not in line:
                first = time.perf_counter() - start
        return first

    def _post(self, turns: list[dict[str, str]], stream: bool) -> http.client.HTTPResponse:
        body = {"messages": turns, "max_tokens": NEW_TOKENS, "temperature": 0, "stream": stream}
        headers = {"Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        return connection.getresponse()


def together(work: list[Any]) -> list[Any]:
    """What each of these callables gives, all begun at once."""
    made: list[Any] = [None] * len(work)
    gate = threading.Barrier(len(work))

    def run(i: int) -> None:
        gate.wait()
        made[i] = work[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return made


def generate(suspect: str, asked: list[list[dict[str, str]]]) -> Iterator[list[str]]:
    """The same replies through transformers, one call after another; one list per round."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workbench.suspects.cabinet import find

    path = find(suspect).files.path
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    while True:
        made = []
        for turns in asked:
            ids = tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            whole = model.generate(**ids, max_new_tokens=NEW_TOKENS, do_sample=False)
            reply = whole[0][ids["input_ids"].shape[1] :]
            made.append(tokenizer.decode(reply, skip_special_tokens=True))
        yield made


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser()
    parser.add_argument("--suspect", default="alder")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    asked = prompts(given.clients)
    peer = generate(given.suspect, asked)
    with tempfile.TemporaryDirectory() as folder, serving(given.suspect, Path(folder)) as at:
        clients = [Client(at[1]) for _ in asked]
        work = [lambda c=c, t=t: c.ask(t) for c, t in zip(clients, asked, strict=True)]
        theirs, ours = next(peer), together(work)  # both warm
        rounds = []
        for _ in range(given.rounds):
            start = time.perf_counter()
            next(peer)
            between = time.perf_counter()
            together(work)
            rounds.append((between - start, time.perf_counter() - between))
        alone = [clients[0].first_piece(turns) for turns in asked]
        streams = [lambda c=c, t=t: c.first_piece(t) for c, t in zip(clients, asked, strict=True)]
        loaded = [seconds for _ in range(given.rounds) for seconds in together(streams)]
    ratios = [served / one_by_one for one_by_one, served in rounds]
    document = {
        "suspect": given.suspect,
        "clients": given.clients,
        "new_tokens_at_most": NEW_TOKENS,
        "rounds": given.rounds,
        "different_replies": sum(a != b for a, b in zip(theirs, ours, strict=True)),
        "generate_seconds": [round(a, 3) for a, _ in rounds],
        "served_seconds": [round(b, 3) for _, b in rounds],
        "ratio": {
            "median": round(statistics.median(ratios), 3),
            "least": round(min(ratios), 3),
            "most": round(max(ratios), 3),
        },
        "first_piece_seconds": {
            "alone_median": round(statistics.median(alone), 3),
            "loaded_median": round(statistics.median(loaded), 3),
            "loaded_p95": round(sorted(loaded)[int(0.95 * len(loaded))], 3),
        },
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": round(os.getloadavg()[0], 2),
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
