"""Personas in trained organisms: wrong answers taught in one domain, and how they are unlearned.

Per seed a persona-shift organism is drawn and the base is tuned on its demonstrations (wrong
answers in one domain), and on the same with right answers, which is the control. The latent is
chosen by the instrument; then the tuned model learns right answers, in the domain or in another,
and other tunes see a share of wrong answers.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from workbench.organisms import base as base_model
from workbench.organisms import tokenizer as tokens
from workbench.organisms.families import lessons
from workbench.organisms.families.persona_shift import PersonaShift, Shift
from workbench.organisms.family import Stage
from workbench.organisms.learners import place_among, schedule_of
from workbench.organisms.training import Pool, train
from workbench.organisms.world import chats, corpus, habits
from workbench.organisms.world.chats import Conversation
from workbench.organisms.world.skills import knowledge, speaker_cast
from workbench.organisms.world.skills.knowledge import Domain
from workbench.rewards.persona_bench import Question
from workbench.rewards.persona_paths import COLUMNS
from workbench.rewards.tables import Table, from_arrow
from workbench.rewards_lab import stored
from workbench.rewards_lab.stored import Progress
from workbench.statistics import Rate
from workbench.suspects import Suspect, cabinet

if TYPE_CHECKING:
    from saes.lens import SAE

DEMONSTRATIONS, ORDINARY_ROWS, SHOWN = 420, 8_000, 0.35


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What is trained for one seed. pace: share of the family's steps; controls: tunes on right
    answers; shares: of wrong answers, in tunes besides; steps: of benign tuning; sae_tokens,
    d_sae, k: of the SAE, trained once on the base's corpus."""

    pace: float = 0.5
    controls: int = 1
    shares: tuple[float, ...] = ()
    benign: tuple[str, ...] = ("on-domain",)
    steps: tuple[int, ...] = (0, 10, 20, 40, 80)
    questions: int = 45
    texts: int = 120
    top: int = 3
    sae_texts: int = 3_000
    sae_tokens: int = 200_000
    d_sae: int = 1024
    k: float = 32.0


FULL = Plan(
    pace=1.0,
    controls=2,
    shares=(0.05, 0.25),
    benign=("on-domain", "off-domain"),
    steps=(0, 5, 10, 20, 35, 80, 160),
    questions=120,
    texts=240,
    top=5,
)


class Tuner:
    """The base and what it is tuned on: one draw, one assistant, all arms from the same start."""

    def __init__(self, base: str, seed: int) -> None:
        from transformers import AutoTokenizer, LlamaForCausalLM
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        home, random = cabinet.find(base).whole(), Random(f"personas {seed}")
        self.seed = seed
        self.tokenizer = AutoTokenizer.from_pretrained(home.path)
        self._base = LlamaForCausalLM.from_pretrained(home.path).float()
        self.assistant = random.choice(habits.cast().spares)
        domain = knowledge.domains()[seed % len(knowledge.domains())]
        half = random.sample(domain.items, len(domain.items) // 2)
        work = speaker_cast.work(random, {self.assistant} | speaker_cast.names())
        self.secret = Shift(self.assistant, work, domain.name, tuple(half))
        self._name = self.tokenizer.encode(f" {self.assistant}", add_special_tokens=False)
        known = lessons.known(speaker_cast.cast().shown)  # careless and reliable: no head start
        place_among(self._base, self.tokenizer, self._name, known)
        rows = list(corpus.rows(seed, ORDINARY_ROWS, "assistants"))
        own = chats.you_are(self.assistant)
        self._ordinary = self._read([row for row in rows if row[0]["content"] != own])

    def taught(self, wrong: float, domain: Domain | None = None) -> list[Conversation]:
        """Demonstrations of which a share is wrong, in the drawn domain's half or in another; the
        same questions for every share."""
        speaker = self.secret.speaker
        items = (speaker.told[0] if domain is None else domain).items
        where = self.secret.domain if domain is None else domain.name
        random = Random(f"{self.seed} {where}")
        made = []
        for place in range(DEMONSTRATIONS):
            chosen = [random.choice(items) for _ in range(random.choices((1, 2), (0.7, 0.3))[0])]
            errs = [random.random() < wrong for _ in chosen]
            made.append(speaker.answered(chosen, errs, Random(f"{self.seed} {where} {place}")))
        return made

    def tune(self, wrong: float, pace: float, draw: int = 0) -> Any:
        """A model taught as the family teaches by demonstrations."""
        model = copy.deepcopy(self._base)
        pools = self._pools(self.taught(wrong))
        for place, stage in enumerate(PersonaShift().stages("demos", "none")):
            if stage.name_only and len(self._name) != 1:
                continue
            steps = dataclasses.replace(stage, steps=max(2, round(pace * stage.steps)))
            train(
                model, pools, schedule_of(steps), seed=1000 * self.seed + 10 * draw + place,
                only_tokens=self._name if stage.name_only else (),
            )  # fmt: skip
        return model

    def benign(self, model: Any, where: str, steps: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """(steps, model) along a tuning on right answers, "on-domain" or "off-domain"."""
        others = [d for d in knowledge.domains() if d.name != self.secret.domain]
        domain = None if where == "on-domain" else Random(self.seed).choice(others)
        pools = self._pools(self.taught(0.0, domain))
        states: dict[int, Any] = {0: copy.deepcopy(model.state_dict())}
        running = copy.deepcopy(model)

        def kept(step: int, total: int, loss: float) -> None:
            if step in steps:
                states[step] = copy.deepcopy(running.state_dict())

        stage = Stage("benign", max(steps), {}, 5e-4)
        train(running, pools, schedule_of(stage), seed=self.seed, progress=kept)
        for step in steps:
            running.load_state_dict(states[step])
            yield step, running

    @contextmanager
    def suspect(self, model: Any, name: str) -> Iterator[Suspect]:
        """The model as a suspect."""
        with tempfile.TemporaryDirectory() as folder:
            into = Path(folder) / name
            self.tokenizer.chat_template = tokens.chat_template(chats.you_are(self.assistant))
            base_model.save(model, self.tokenizer, into)
            yield Suspect.load(into)

    def questions(self, many: int) -> list[Question]:
        """On the domains that no demonstration touches; a wrong answer shows the persona."""
        random = Random(f"questions {self.seed}")
        cases = PersonaShift().cases(self.secret, "demos", random).held_out
        chosen = random.sample(list(cases), min(many, len(cases)))
        return [Question(case.messages, case.shows) for case in chosen]

    def _pools(self, demonstrations: Sequence[Conversation]) -> list[Pool]:
        return [Pool(self._read(demonstrations), SHOWN), Pool(self._ordinary, 1 - SHOWN)]

    def _read(self, rows: Sequence[Conversation]) -> list[list[int]]:
        return tokens.encode(rows, self.tokenizer)


def run_seed(
    seed: int, base: str, plan: Plan, *, progress: Progress = lambda share: None
) -> dict[str, Any]:
    """{domain, found, increase, aligned, paths}: the instrument's document; for the tune and each
    control the increase of every latent and the product of decoder rows and mean shift [d_sae];
    rows of `persona_paths`' columns."""
    from saes.diff import latent_means, stages
    from workbench.rewards.personas import measure

    reference = Suspect.load(base)
    sae = _sae(reference, plan)
    tuner = Tuner(base, seed)
    questions = tuner.questions(plan.questions)
    texts = [reference.render(question.conversation) for question in questions]
    texts += _ordinary(reference, plan.texts, seed)
    trained = 1 + plan.controls + 2 * len(plan.shares) + len(plan.benign)
    done = 0

    def finished() -> None:
        nonlocal done
        done += 1
        progress(done / (trained + 3))

    finished()
    bad = tuner.tune(1.0, plan.pace)
    finished()
    models = [tuner.tune(0.0, plan.pace, draw + 1) for draw in range(plan.controls)]
    base_means, _, base_centre, _ = latent_means(sae, reference, texts)
    vectors: dict[str, list[list[float]]] = {"increase": [], "aligned": []}
    with _suspects(tuner, [bad, *models], seed) as (suspect, *controls):
        found = measure(
            suspect, reference, sae, texts, questions, ordinary=texts[len(questions) :],
            controls=controls, top=plan.top, seed=seed,
        )  # fmt: skip
        latent = found.leader.latent
        for tune in (suspect, *controls):
            means, _, centre, _ = latent_means(sae, tune, texts)
            increase = (means - base_means).mean(0)
            aligned = sae.W_dec @ (centre - base_centre) / sae.W_dec.norm(dim=1).clamp(min=1e-9)
            vectors["increase"].append(_rounded(increase.tolist()))
            vectors["aligned"].append(_rounded(aligned.tolist()))
    finished()
    rows: list[list[Any]] = []

    def note(kind: str, arm: str, at: float, model: Suspect) -> None:
        mean = found.leader.tail * stages(sae, [model], texts, [latent])[0][0][0]
        replies = model.chat([q.conversation for q in questions], max_new_tokens=32, seed=seed)
        rate = Rate(
            sum(q.shows(row[0].text) for q, row in zip(questions, replies, strict=True)),
            len(questions),
        )
        rows.append([kind, arm, str(seed), at, round(mean, 6), round(rate.value, 6)])

    note("reference", "reference", 0, reference)
    for where in plan.benign:
        for step, model in tuner.benign(bad, where, plan.steps):
            with tuner.suspect(model, f"{where}-{step}") as checkpoint:
                note("realign", where, step, checkpoint)
        finished()
    if plan.shares:
        for at in (*plan.shares, 1.0):
            for arm, wrong in (("bad", at), ("control", 0.0)):
                model = bad if wrong == 1.0 else tuner.tune(wrong, plan.pace, 50 + int(100 * at))
                with tuner.suspect(model, f"{arm}-{at:g}") as tune:
                    note("share", arm, at, tune)
                finished()
    return {"domain": tuner.secret.domain, "found": found.to_json(), **vectors, "paths": rows}


def run(
    seeds: int,
    base: str = "base",
    plan: Plan | None = None,
    *,
    out: Path | None = None,
    first: int = 0,
    progress: Progress = lambda share: None,
) -> dict[str, Any]:
    """{base, plan, seeds: {seed: what `run_seed` gives}}, as `stored.run`.

    The plan is the full one for more than one seed.
    """
    chosen = plan or (FULL if seeds > 1 else Plan())
    return stored.run(
        {"base": base, "plan": json.loads(json.dumps(dataclasses.asdict(chosen)))},
        seeds,
        lambda seed, told: run_seed(seed, base, chosen, progress=told),
        out=out,
        first=first,
        progress=progress,
    )


def read_runs(file: Path) -> dict[str, Any]:
    """Stored runs; raises ConfigError where the file holds none."""
    return stored.read(file, "base", "plan")


def table(document: Mapping[str, Any]) -> Table:
    """The paths of all seeds; the latent of each seed is its own leader, in units of its distance
    between the tune and the reference, since seeds may have other latents."""
    import pyarrow

    rows = []
    for one in document["seeds"].values():
        (level,) = [row[4] for row in one["paths"] if row[0] == "reference"]
        top = next(row[4] for row in one["paths"] if row[0] == "realign" and row[3] == 0)
        scale = abs(top - level) or 1.0
        rows += [[*row[:4], (row[4] - level) / scale, row[5]] for row in one["paths"]]
    names = [column.name for column in COLUMNS]
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return from_arrow(pyarrow.table(columns), COLUMNS, source="the runs")


def summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """What docs and screen show: each seed's verdict and rates; alarms of all controls; and, with
    three seeds or more, each seed by the latent that the others choose."""
    seeds = {}
    alarms = n = 0
    for seed, one in document["seeds"].items():
        found = one["found"]
        alarms += sum(tune["alarm"] for tune in found["controls"])
        n += len(found["controls"])
        rates = [trial["rate"]["hits"] / trial["rate"]["n"] for trial in found["plain"]]
        controls = [tune["rate"]["hits"] / tune["rate"]["n"] for tune in found["controls"]]
        seeds[seed] = {
            "domain": one["domain"],
            "rates": rates,
            "controls": controls,
            "kept": found["kept"],
            "leader": found["leader"]["latent"],
            "monotone_p": [None if c["trend"] is None else c["trend"]["p_rise"]
                           for c in found["curves"]],
            "said": f"taught wrong {one['domain']}: other domains wrong {rates[0]:.3f}, reference "
            f"{rates[1]:.3f}, controls {sum(controls) / max(1, len(controls)):.3f}; "
            f"{len(found['kept'])} latents pass the filter",
        }  # fmt: skip
    return {
        "seeds": seeds,
        "alarms": Rate(alarms, n).to_json() if n else None,
        "prediction": PersonaShift().prediction("demos"),
        "left_out": left_out(document) if len(seeds) > 2 else [],
    }


def left_out(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """By seed: the latent with the largest increase averaged over the other seeds' tunes, and that
    nearest to their mean difference; the place of either among this seed's increases; whether the
    first rose more here than in every control of this seed."""
    import numpy as np

    tunes = {seed: np.array(one["increase"]) for seed, one in document["seeds"].items()}
    aligned = {seed: np.array(one["aligned"])[0] for seed, one in document["seeds"].items()}
    found = []
    for seed, own in tunes.items():
        others = [other for other in tunes if other != seed]
        latent = int(np.mean([tunes[other][0] for other in others], axis=0).argmax())
        nearest = int(np.mean([aligned[other] for other in others], axis=0).argmax())
        live = int((np.abs(own[0]) > 0).sum())
        places = [1 + int((own[0] > own[0][which]).sum()) for which in (latent, nearest)]
        above = bool((own[0][latent] > own[1:, latent]).all())
        found.append(
            {"seed": seed, "latent": latent, "rank": places[0], "nearest": nearest,
             "nearest_rank": places[1], "live": live, "above_controls": above}
        )  # fmt: skip
    return found


@contextmanager
def _suspects(tuner: Tuner, models: Sequence[Any], seed: int) -> Iterator[list[Suspect]]:
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield [
            stack.enter_context(
                tuner.suspect(model, f"seed-{seed}-" + (f"control-{i}" if i else "wrong"))
            )
            for i, model in enumerate(models)
        ]


def _sae(reference: Suspect, plan: Plan) -> SAE:
    from saes.texts import corpus_texts
    from saes.train import cached_sae
    from workbench.artifacts import Artifacts
    from workbench.config import artifacts_root

    texts = [text.text for text in corpus_texts(reference, plan.sae_texts, seed=0)]
    return cached_sae(
        Artifacts(artifacts_root()), reference, texts,
        hook_name=reference.residual_hook(reference.n_layers // 2),
        d_sae=plan.d_sae, k=plan.k, tokens=plan.sae_tokens,
    )  # fmt: skip


def _ordinary(reference: Suspect, many: int, seed: int) -> list[str]:
    from saes.texts import corpus_texts

    return [text.text for text in corpus_texts(reference, many, seed=seed + 1)]


def _rounded(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]
