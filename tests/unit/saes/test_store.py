from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from saes import search
from saes.activations import Cached, cached
from saes.describe import folded_unembedding
from saes.labels import _chosen
from saes.lens import SAE
from saes.store import Store, store
from saes.texts import Text
from workbench.artifacts import Artifacts
from workbench.errors import BadParameter
from workbench.suspects import Suspect
from workbench.suspects.scripted import ScriptedSuspect

HOOK = "blocks.0.hook_out"


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    return Artifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="module")
def held(artifacts: Artifacts, suspect: ScriptedSuspect, texts: list[str]) -> Cached:
    rows = [Text(text, f"row-{i}") for i, text in enumerate(texts)]
    return cached(artifacts, suspect, rows, [HOOK])


@pytest.fixture(scope="module")
def built(artifacts: Artifacts, sae: SAE, suspect: ScriptedSuspect, held: Cached) -> Store:
    return store(artifacts, sae, suspect, held)


@pytest.fixture(scope="module")
def dense(sae: SAE, held: Cached) -> torch.Tensor:
    return sae.encode(held.values(HOOK))


def test_activations_are_computed_once_and_are_all_there(
    artifacts: Artifacts, suspect: ScriptedSuspect, texts: list[str], held: Cached,
    clean: torch.Tensor,
) -> None:  # fmt: skip
    assert torch.equal(held.values(HOOK), clean)
    spent = suspect.usage.to_json()["forward_passes"]
    again = cached(artifacts, suspect, held.texts(), [HOOK])
    assert again.directory == held.directory
    assert suspect.usage.to_json()["forward_passes"] == spent
    rows = held.rows()
    words = [texts[t].split(">", 1)[1].split("<")[0].split(" ") for t in rows["text"][:50]]
    strings = suspect.token_strings(rows["token"][:50].tolist())
    assert [s.strip() for s in strings] == [
        w[p - 1] for w, p in zip(words, rows["position"][:50], strict=True)
    ]
    with pytest.raises(BadParameter, match="no activations of"):
        held.values("blocks.1.hook_out")


def test_no_text_with_a_token_is_refused(artifacts: Artifacts, suspect: ScriptedSuspect) -> None:
    with pytest.raises(BadParameter, match="no ordinary token"):
        cached(artifacts, suspect, [Text("<|user|><|end|>")], [HOOK])


def test_the_store_holds_every_activation(
    built: Store, dense: torch.Tensor, held: Cached, texts: list[str]
) -> None:
    rows = held.rows()
    table = built.latents
    assert built.tokens == len(dense)
    density = (dense > 0).float().mean(0)
    assert torch.allclose(torch.tensor(table["density"].to_pylist()), density)
    assert torch.allclose(torch.tensor(table["maximum"].to_pylist()), dense.amax(0))
    latent = int(density.argmax())
    firings = built.firings(latent)
    want = dense[:, latent].nonzero().flatten()
    assert len(firings["activation"]) == len(want)
    assert sorted(firings["activation"].tolist(), reverse=True) == firings["activation"].tolist()
    assert set(zip(firings["text"].tolist(), firings["position"].tolist(), strict=True)) == set(
        zip(rows["text"][want].tolist(), rows["position"][want].tolist(), strict=True)
    )
    row = built.row(latent)
    assert sum(row["histogram"]) == len(want)
    assert row["texts"] == len(set(firings["text"].tolist()))
    assert sum(row["top_shares"]) <= 1 + 1e-6


def test_examples_lead_back_to_corpus_rows(built: Store, texts: list[str]) -> None:
    latent = int(built.latents["maximum"].to_numpy().argmax())
    examples = built.examples(latent, most=5)
    assert examples[0].activation == pytest.approx(built.row(latent)["maximum"])
    assert len({e.document for e in examples}) == len(examples)
    for example in examples:
        text = texts[int(example.document.removeprefix("row-"))]
        assert "".join(example.tokens) in text
        assert example.activations[example.peak] == pytest.approx(example.activation)
        assert f"[{example.tokens[example.peak]}]" in example.passage
    bands = built.bands(latent)
    assert len(bands) == 5
    means = [sum(e.activation for e in band) / len(band) for band in bands if band]
    assert means == sorted(means, reverse=True)
    assert built.documents(latent)[0][0] == examples[0].document


def test_a_dead_latent_and_one_out_of_range(built: Store) -> None:
    dead = int(built.latents["density"].to_numpy().argmin())
    assert built.row(dead)["density"] == 0
    assert built.examples(dead) == []
    assert built.row(dead)["label_score"] is None
    for wrong in (64, -1):
        with pytest.raises(BadParameter, match=f"no latent {wrong}"):
            built.row(wrong)


def test_labels_name_the_word_that_fires_and_beat_other_labels(built: Store) -> None:
    rows = [r for r in built.latents.to_pylist() if r["label_score"] is not None]
    assert len(rows) > 10
    assert sum(r["label_score"] for r in rows) / len(rows) > 0.9
    assert sum(r["label_random"] for r in rows) / len(rows) < 0.6
    for row in rows:
        if row["top_shares"][0] > 0.8:
            assert row["top_tokens"][0].strip() in row["label"]


def test_a_rule_is_not_found_in_noise() -> None:
    import numpy as np

    dice = np.random.default_rng(0)
    lit, dark = dice.integers(0, 300, (60, 9)), dice.integers(0, 300, (600, 9))
    rule = _chosen(lit, dark)
    fresh, other = dice.integers(0, 300, (2000, 9)), dice.integers(0, 300, (2000, 9))
    assert rule is None or abs(rule.share(fresh) - rule.share(other)) < 0.05


def test_neighbours_are_those_of_the_dense_latents(
    built: Store, sae: SAE, dense: torch.Tensor
) -> None:
    latent = int(built.latents["density"].to_numpy().argmax())
    row = built.row(latent)
    unit = sae.W_dec / sae.W_dec.norm(dim=1, keepdim=True)
    cosines = unit @ unit[latent]
    assert row["cosines"] == pytest.approx(
        sorted(cosines[torch.arange(64) != latent].tolist(), reverse=True)[:8], abs=1e-5
    )
    active = (dense > 0).float()
    for other, jaccard in zip(row["coactive_latents"], row["jaccard"], strict=True):
        both = float((active[:, latent] * active[:, other]).sum())
        either = float(((active[:, latent] + active[:, other]) > 0).sum())
        assert jaccard == pytest.approx(both / either)


def test_a_store_is_built_once(
    artifacts: Artifacts, sae: SAE, suspect: ScriptedSuspect, held: Cached, built: Store
) -> None:
    assert store(artifacts, sae, suspect, held).directory == built.directory


def test_search_by_prompt_and_token(built: Store, sae: SAE, suspect: ScriptedSuspect) -> None:
    found = search.by_prompt(built, sae, suspect, "word3")
    assert found and "on 'word3'" in found[0].reason
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
    by_token = search.by_token(built, " word3 ")
    assert found[0].latent in {f.latent for f in by_token}
    assert "of its activation lies on it" in by_token[0].reason
    with pytest.raises(BadParameter, match="no latent fires most on"):
        search.by_token(built, "elsewhere")
    with pytest.raises(BadParameter, match="no ordinary token"):
        search.by_prompt(built, sae, suspect, "<|user|>")


def test_search_by_contrast(built: Store, sae: SAE, suspect: ScriptedSuspect) -> None:
    one = [f"word{i} word3 word{i + 1}" for i in range(10, 30)]
    two = [f"word{i} word9 word{i + 1}" for i in range(10, 30)]
    found = search.by_contrast(built, sae, suspect, one, two)
    first = next(f for f in found if f.reason.startswith("more in the first"))
    second = next(f for f in found if f.reason.startswith("more in the second"))
    assert {first.latent, second.latent} == {f.latent for f in found[:2]}
    assert "word3" in built.row(first.latent)["top_tokens"][0]
    assert "word9" in "".join(built.row(second.latent)["top_tokens"])
    assert first.score > 0.1 and second.score > 0.1
    with pytest.raises(BadParameter, match="contrast of 1 and 20 texts"):
        search.by_contrast(built, sae, suspect, one[:1], two)
    with pytest.raises(BadParameter, match="equal activations"):
        search.by_contrast(built, sae, suspect, one, one)


def test_search_by_meaning(built: Store) -> None:
    row = built.row(int(built.latents["density"].to_numpy().argmax()))
    word = row["label"].split(" · ")[0]
    found = search.by_meaning(built, f"nonsense {word}", most=64)
    (own,) = [f for f in found if f.latent == row["latent"]]
    assert own.reason.startswith(f"'{word}' in") and "label" in own.reason
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
    with pytest.raises(BadParameter, match="hold any of: nonsense"):
        search.by_meaning(built, "nonsense")
    with pytest.raises(BadParameter, match="no word"):
        search.by_meaning(built, "?")


def test_the_unembedding_holds_the_gain_of_the_final_norm(tiny: Path) -> None:
    suspect = Suspect.load(tiny, device="cpu")
    model: Any = suspect.model.original_model
    made = folded_unembedding(suspect)
    assert made is not None and made.shape == (suspect.d_model, 400)
    body = model.base_model
    norm = body.norm if hasattr(body, "norm") else body.ln_f
    torch.manual_seed(0)
    x = torch.randn(suspect.d_model)
    with torch.no_grad():
        want = model.get_output_embeddings()(norm(x[None]) - norm(0 * x[None]))[0]
    # the norm divides x by its size: up to that factor and the mean, the logits are the same
    centred = x - x.mean() if "GPT2" in type(model).__name__ else x
    cosine = torch.nn.functional.cosine_similarity(want - want.mean(), centred @ made, dim=0)
    assert float(cosine) > 0.9999


def test_the_contrast_test_is_welchs() -> None:
    from scipy.stats import ttest_ind

    generator = torch.Generator().manual_seed(0)
    one, two = torch.randn(9, 4, generator=generator), 1 + torch.randn(14, 4, generator=generator)
    want = ttest_ind(one.numpy(), two.numpy(), equal_var=False).pvalue
    assert search._welch(one, two) == pytest.approx(want.tolist(), rel=1e-4)
    assert search._welch(torch.ones(4, 1), torch.ones(4, 1)) == [1.0]
    assert search._welch(torch.ones(4, 1), torch.zeros(4, 1))[0] < 1e-6
