"""Real clients against `workbench serve`, each in an environment of its own: `make clients`.

    python tests/clients/run.py [--envs DIR] [--only inspect,garak,lm-eval,pyrit] [--install]

Each client runs unchanged, as its own documentation says, and is judged by the files that it
wrote: several exit with 0 whatever happened. What can be imported is filed in a ledger after that.
A client whose environment is missing is skipped with the reason, and --install makes it; with all
of them missing, or one that failed, the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGES = {
    "inspect": ["inspect-ai==0.3.285", "openai>=3.1"],
    "garak": ["garak==0.17.1", "torch==2.13.0"],
    "lm-eval": ["lm-eval[api]==0.4.13"],
    "pyrit": ["pyrit==1.1.0"],
}
SECONDS = 900


@contextmanager
def serving(suspect: str, folder: Path) -> Iterator[str]:
    """The address of a server of its own, /v1 included."""
    command = [sys.executable, "-m", "workbench.cli", "serve", suspect, "--port", "0", "--json"]
    process = subprocess.Popen(
        [*command, "--ledger", str(folder / "served.duckdb")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield str(json.loads(process.stdout.readline())["url"])
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


class Client:
    """One client: its environment, the folder that it works in, and the server's address."""

    def __init__(self, name: str, envs: Path, folder: Path, url: str) -> None:
        self.python = envs / name / "bin" / "python"
        self.folder, self.url = folder / name, url
        self.folder.mkdir()

    def run(self, program: str, *arguments: object, **env: str) -> str:
        """What it printed; its exit code says nothing for most of these."""
        done = subprocess.run(
            [str(self.python.parent / program), *map(str, arguments)],
            cwd=self.folder,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        (self.folder / f"{program}.log").write_text(done.stdout + done.stderr)
        return done.stdout + done.stderr

    def one(self, pattern: str) -> Path:
        """The only file of that kind that it wrote."""
        found = sorted(self.folder.rglob(pattern))
        expect(len(found) == 1, f"{len(found)} files like {pattern}")
        return found[0]


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


def inspect(client: Client) -> tuple[Path, str]:
    """Chat: two samples in two epochs."""
    from workbench.report.imports import inspect_parts

    shutil.copy(HERE / "inspect_task.py", client.folder)
    model = "openai-api/suspect/suspect"
    arguments = ["eval", "inspect_task.py", "--model", model, "--log-dir", "logs"]
    arguments += ["--display", "plain", "--epochs", "2", "--max-tokens", "24", "--no-fail-on-error"]
    client.run("inspect", *arguments, SUSPECT_API_KEY="x", SUSPECT_BASE_URL=client.url)
    log = client.one("*.eval")
    header, samples = inspect_parts(log)
    expect(header["status"] == "success", f"status {header['status']}")
    expect(len(samples) == 4, f"{len(samples)} samples")
    expect(all(not s.get("error") for s in samples), "a sample with an error")
    expect(all(s["output"]["choices"][0]["message"]["content"] for s in samples), "an empty reply")
    usage = header["stats"]["model_usage"][model]
    expect(usage["total_tokens"] > 0, "no usage")
    return log, f"4 samples, {usage['total_tokens']} tokens"


def garak(client: Client) -> tuple[Path, str]:
    """Two probes and their detectors."""
    config = (HERE / "garak.yaml").read_text().replace("URL", f"{client.url}/")
    (client.folder / "garak.yaml").write_text(config)
    home = str(client.folder / "home")
    env = {f"XDG_{kind}_HOME": home for kind in ("DATA", "CACHE", "CONFIG")}
    spec = "probes.test.Test,probes.encoding.InjectBase64"
    client.run(
        "garak", "--config", "garak.yaml", "--spec", spec, OPENAICOMPATIBLE_API_KEY="x", **env
    )
    report = client.one("*.report.jsonl")
    rows = [json.loads(line) for line in report.read_text().splitlines()]
    kinds = [row["entry_type"] for row in rows]
    expect("completion" in kinds, "the report does not end")
    done = [r for r in rows if r["entry_type"] == "attempt" and r["status"] == 2]
    expect(len(done) >= 8, f"{len(done)} attempts were judged")
    said = [output for row in done for output in row["outputs"]]
    expect(all(output and output["text"] for output in said), "an attempt without a reply")
    expect("eval" in kinds, "nothing was evaluated")
    return report, f"{len(done)} attempts"


def lm_eval(client: Client) -> tuple[Path, str]:
    """Generation by chat, and multiple choice by the log-probabilities of token ids."""
    tasks = client.folder / "tasks"
    shutil.copytree(HERE / "lm_eval_tasks", tasks)
    for file in tasks.glob("*.yaml"):
        file.write_text(file.read_text().replace("DATA", str(tasks / "rows.jsonl")))
    common = ["--include_path", tasks, "--output_path", "out", "--log_samples"]
    args = f"model=suspect,base_url={client.url}/chat/completions,num_concurrent=4,max_retries=1"
    asked = ["--model", "local-chat-completions", "--model_args", args]
    client.run(
        "lm-eval", "run", *asked, "--tasks", "wb_generate", "--apply_chat_template", *common,
        HF_HUB_OFFLINE="1", OPENAI_API_KEY="x",
    )  # fmt: skip
    samples = client.one("samples_wb_generate_*.jsonl")
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    expect(len(rows) == 3 and all(row["resps"][0][0] for row in rows), "a row without a reply")
    from workbench.suspects.cabinet import find

    args = f"model=suspect,base_url={client.url}/completions,num_concurrent=2,max_retries=1"
    args += f",tokenizer_backend=huggingface,tokenizer={find('alder').path},max_length=255"
    asked = ["--model", "local-completions", "--model_args", args]
    client.run(
        "lm-eval", "run", *asked, "--tasks", "wb_choice", *common,
        HF_HUB_OFFLINE="1", OPENAI_API_KEY="x",
    )  # fmt: skip
    chosen = [
        json.loads(x) for x in client.one("samples_wb_choice_*.jsonl").read_text().splitlines()
    ]
    scores = [float(resp[0][0]) for row in chosen for resp in row["resps"]]
    expect(len(scores) == 6 and all(s < 0 for s in scores), f"log-probabilities {scores}")
    return samples, "3 replies, 6 log-probabilities"


def pyrit(client: Client) -> tuple[None, str]:
    """One attack of one turn, written down by its own result object."""
    shutil.copy(HERE / "pyrit_attack.py", client.folder)
    client.run("python", "pyrit_attack.py", client.url)
    made = json.loads(client.one("result.json").read_text())
    expect(bool(made["said"]) and made["kind"] == "AttackResult", f"{made}")
    return None, f"an attack, {made['outcome']}"


CLIENTS: dict[str, Callable[[Client], tuple[Path | None, str]]] = {
    "inspect": inspect,
    "garak": garak,
    "lm-eval": lm_eval,
    "pyrit": pyrit,
}


def install(envs: Path, name: str) -> None:
    """By uv: pip's resolver needs ten minutes for garak."""
    tools = envs / "uv"
    if not (tools / "bin" / "uv").exists():
        subprocess.run([sys.executable, "-m", "venv", tools], check=True)
        subprocess.run([tools / "bin" / "pip", "install", "--quiet", "uv"], check=True)
    uv = tools / "bin" / "uv"
    subprocess.run([uv, "venv", "--quiet", envs / name], check=True)
    python = envs / name / "bin" / "python"
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, *PACKAGES[name]], check=True
    )


def imported(name: str, file: Path, folder: Path) -> int:
    """How many findings `workbench ledger import` files from it."""
    command = [sys.executable, "-m", "workbench.cli", "ledger", "import", "--from", name, str(file)]
    command += ["--ledger", str(folder / "imported.duckdb"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout)["findings"])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--envs", type=Path, default=Path("out/clients"))
    parser.add_argument("--only", default=",".join(CLIENTS))
    parser.add_argument("--install", action="store_true")
    given = parser.parse_args()
    ran: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with serving("alder", folder) as url:
            for name in given.only.split(","):
                envs = given.envs.resolve()
                if given.install and not (envs / name).exists():
                    install(envs, name)
                if not (envs / name / "bin" / "python").exists():
                    print(f"{name}: skipped: no environment in {envs}; --install makes it")
                    continue
                client = Client(name, envs, folder, url)
                try:
                    file, said = CLIENTS[name](client)
                    if file is not None:
                        said += f", {imported(name, file, folder)} findings imported"
                    ran[name] = "ok"
                    print(f"{name}: ok: {said}", flush=True)
                except Exception as error:  # one client's failure says nothing of the others
                    ran[name] = "failed"
                    logs = "".join(p.read_text()[-2_000:] for p in client.folder.glob("*.log"))
                    print(f"{name}: failed: {type(error).__name__}: {error}\n{logs}", flush=True)
        served = _served(folder)
    print(f"{served} exchanges filed as evidence")
    return 0 if ran and set(ran.values()) == {"ok"} and served else 1


def _served(folder: Path) -> int:
    command = [sys.executable, "-m", "workbench.cli", "ledger", "findings", "--json", "--ledger"]
    done = subprocess.run(
        [*command, str(folder / "served.duckdb")], capture_output=True, text=True, check=True
    )
    made: list[Any] = json.loads(done.stdout)
    return len(made)


if __name__ == "__main__":
    sys.exit(main())
