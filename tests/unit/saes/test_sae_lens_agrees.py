"""An SAE that SAELens alone trained and saved: its card here says what SAELens' own evals say."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from saes.card import card
from saes.lens import load
from saes.train import collect
from workbench.access import Access
from workbench.suspects import Suspect
from workbench.suspects.cabinet import bundled

ALIAS = "blocks.1.hook_resid_post"
"""As SAEs of Gemma Scope name their hook; the canonical name is blocks.1.hook_out."""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def suspect() -> Suspect:
    return Suspect.load(bundled()[0], device="cpu")


@pytest.fixture(scope="module")
def texts(suspect: Suspect) -> list[str]:
    """Plain rows: special tokens within a text are where the two definitions part."""
    assert Access.TRAINING_DATA in suspect.access
    rows = (c for _, role, c in suspect.corpus.texts() if role == "document" and len(c) > 80)
    return [next(rows)[:300] for _ in range(300)]


@pytest.fixture(scope="module")
def directory(suspect: Suspect, texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script with SAELens alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, SAETrainer
        from sae_lens.config import LoggingConfig, SAETrainerConfig
    rows = collect(suspect, texts[:240], "blocks.1.hook_out", most=10**6)
    torch.manual_seed(0)
    module = BatchTopKTrainingSAE(
        BatchTopKTrainingSAEConfig(d_in=rows.shape[1], d_sae=256, k=16, topk_threshold_lr=0.05)
    )
    module.cfg.metadata.hook_name = ALIAS

    def batches() -> Iterator[torch.Tensor]:
        while True:
            yield rows[torch.randint(len(rows), (256,))]

    SAETrainer(
        cfg=SAETrainerConfig(
            total_training_samples=60_000, train_batch_size_samples=256, lr=3e-3, lr_end=3e-4,
            device="cpu", logger=LoggingConfig(log_to_wandb=False),
        ),
        sae=module,
        data_provider=batches(),
    ).fit()  # fmt: skip
    into = tmp_path_factory.mktemp("theirs")
    module.save_inference_model(into)
    return into


class FixedTokens:
    """What `run_evals` asks of an activation store: one text after the other, again and again."""

    store_batch_size_prompts = 1
    context_size = 0

    def __init__(self, rows: list[tuple[int, ...]]) -> None:
        self._rows, self._next = rows, 0

    def reset_input_dataset(self) -> None:
        self._next = 0

    def get_batch_tokens(self, count: int) -> torch.Tensor:
        row = self._rows[self._next % len(self._rows)]
        self._next += 1
        return torch.tensor([row])


def test_the_card_agrees_with_run_evals(
    suspect: Suspect, texts: list[str], directory: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens import SAE
        from sae_lens.evals import get_eval_everything_config, run_evals
        from sae_lens.training.activation_scaler import ActivationScaler
    held_out = texts[240:]
    ours = card(directory, suspect, held_out, scored=len(held_out))
    assert load(directory).hook_name == "blocks.1.hook_out"
    rows = [scored.token_ids for scored in suspect.logprobs(held_out)]
    store: Any = FixedTokens(rows)
    theirs, _ = run_evals(
        SAE.load_from_disk(directory, device="cpu"),
        store,
        suspect.model,
        ActivationScaler(),
        get_eval_everything_config(1, len(rows), len(rows)),
    )
    assert ours.explained_variance == pytest.approx(
        theirs["reconstruction_quality"]["explained_variance"], rel=0.02
    )
    assert ours.l0 == pytest.approx(theirs["sparsity"]["l0"], rel=0.02)
    assert ours.ce_loss_score == pytest.approx(
        theirs["model_performance_preservation"]["ce_loss_score"], rel=0.02
    )
    assert ours.splice_error < 1e-5
