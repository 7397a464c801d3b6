"""Ours against SAELens' own runner: the same suspect, texts, size, sparsity and number of tokens.

    python benchmarks/sae_training.py [SUSPECT] [--hook NAME] [--tokens N]

Both start from texts and end with a saved SAE; imports and loading of the suspect are in neither.
Ours includes caching the activations on disk. Theirs goes without its normalisation of activations,
whose estimate alone reads a thousand batches. Wall time and time on the processor are printed, as
ratios; on a machine that does other things at the same time the latter is the one to read. Both
SAEs are judged by the same card on texts that neither has seen.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONTEXT = 64


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """(result, wall seconds, processor seconds)."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return made, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suspect", nargs="?", default="alder")
    parser.add_argument("--hook", default="blocks.3.hook_out")
    parser.add_argument("--tokens", type=int, default=200_000)
    parser.add_argument("--d-sae", type=int, default=1024)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--rows", type=int, default=3000)
    arguments = parser.parse_args()

    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    warnings.simplefilter("ignore")
    from datasets import Dataset
    from sae_lens import (
        BatchTopKTrainingSAEConfig,
        LanguageModelSAERunnerConfig,
        LanguageModelSAETrainingRunner,
        LoggingConfig,
    )

    from saes.activations import cached
    from saes.card import card
    from saes.fit import Settings, fit
    from saes.texts import corpus_texts
    from workbench.artifacts import Artifacts
    from workbench.suspects import Suspect

    suspect = Suspect.load(arguments.suspect)
    texts = corpus_texts(suspect, arguments.rows, 0)
    held_out = [text.text for text in corpus_texts(suspect, 200, 1)]
    ids = [i for s in suspect.logprobs([t.text for t in texts]) for i in s.token_ids]
    # a tokenised data set must have rows of one length
    rows = [ids[i : i + CONTEXT] for i in range(0, len(ids) - CONTEXT + 1, CONTEXT)]
    width = suspect.d_model
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)

        def ours() -> Path:
            held = cached(Artifacts(home / "cache"), suspect, texts, [arguments.hook])
            settings = Settings(
                d_sae=arguments.d_sae, k=arguments.k, samples=arguments.tokens, batch=256
            )
            fit(held.values(arguments.hook), settings, hook_name=arguments.hook, into=home / "ours")
            return home / "ours"

        def theirs() -> Path:
            config: Any = LanguageModelSAERunnerConfig(
                sae=BatchTopKTrainingSAEConfig(
                    d_in=width, d_sae=arguments.d_sae, k=arguments.k, topk_threshold_lr=0.05,
                ),
                model_name=arguments.suspect,
                hook_name=arguments.hook,
                dataset_path="",
                context_size=CONTEXT,
                prepend_bos=False,
                training_tokens=arguments.tokens,
                train_batch_size_tokens=256,
                store_batch_size_prompts=32,
                n_batches_in_buffer=16,
                lr=3e-3,
                lr_end=3e-4,
                device="cpu",
                logger=LoggingConfig(log_to_wandb=False),
                checkpoint_path=None,
                output_path=str(home / "theirs"),
                n_checkpoints=0,
                save_final_checkpoint=False,
            )  # fmt: skip
            sae = LanguageModelSAETrainingRunner(
                config,
                override_model=suspect.model,
                override_dataset=Dataset.from_dict({"input_ids": rows}),
            ).run()
            sae.cfg.metadata.hook_name = arguments.hook
            sae.save_inference_model(home / "inference")
            return home / "inference"

        report: dict[str, Any] = {"threads": torch.get_num_threads(), **vars(arguments)}
        for name, work in (("ours", ours), ("sae_lens", theirs)):
            made, wall, cpu = timed(work)
            judged = card(made, suspect, held_out, baselines=False)
            report[name] = {
                "wall_seconds": round(wall, 1),
                "cpu_seconds": round(cpu, 1),
                "explained_variance": round(judged.explained_variance, 4),
                "l0": round(judged.l0, 1),
                "ce_loss_score": round(judged.ce_loss_score, 4),
                "dead_fraction": round(judged.dead_fraction, 3),
            }
        for kind in ("wall", "cpu"):
            ratio = report["ours"][f"{kind}_seconds"] / report["sae_lens"][f"{kind}_seconds"]
            report[f"{kind}_ratio"] = round(ratio, 3)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
