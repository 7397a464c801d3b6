"""Interventions: each formula, where it applies, and the proof that it did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench.errors import BadParameter
from workbench.suspects import Activations, Intervention, Suspect

# sae_lens 6 imports a module that transformer_lens 3 calls deprecated
pytestmark = pytest.mark.filterwarnings("ignore:The .utils. module has been deprecated")

HOOK = "blocks.1.hook_out"
TEXTS = ["<|user|>The red cat<|end|>", "<|user|>Why does the fox sing tonight?<|end|>"]
DIRECTION = tuple(float(i % 5 - 2) for i in range(32))


@pytest.fixture(scope="module")
def suspect(llama: Path) -> Suspect:
    return Suspect.load(llama, device="cpu")


@pytest.fixture(scope="module")
def sae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sae_lens import TopKSAE, TopKSAEConfig

    torch.manual_seed(3)
    made = TopKSAE(TopKSAEConfig(d_in=32, d_sae=64, k=4))
    made.b_dec.data = torch.randn(32) / 10
    path = tmp_path_factory.mktemp("sae")
    made.save_model(path)
    return path


def values(suspect: Suspect, *edits: Intervention, texts: list[str] = TEXTS) -> Activations:
    (batch,) = suspect.activations(texts, [HOOK], interventions=edits)
    return batch


def edited(suspect: Suspect, edit: Intervention) -> tuple[torch.Tensor, torch.Tensor]:
    """The hook's values before and after, [token, width], of tokens that are not special."""
    before, after = values(suspect), values(suspect, edit)
    free = before.mask & ~before.special
    assert torch.equal(before.values[HOOK][~free], after.values[HOOK][~free])
    return before.values[HOOK][free], after.values[HOOK][free]


def test_directions(suspect: Suspect) -> None:
    d = torch.tensor(DIRECTION)
    unit = d / d.norm()
    x, added = edited(suspect, Intervention("add", HOOK, DIRECTION, coefficient=2.0))
    assert torch.allclose(added, x + 2 * d, atol=1e-5)
    _, less = edited(suspect, Intervention("subtract", HOOK, DIRECTION, coefficient=2.0))
    assert torch.allclose(less, x - 2 * d, atol=1e-5)
    _, gone = edited(suspect, Intervention("ablate", HOOK, DIRECTION))
    assert torch.allclose(gone, x - (x @ unit)[:, None] * unit, atol=1e-5)
    _, held = edited(suspect, Intervention("clamp", HOOK, DIRECTION, coefficient=3.0))
    assert torch.allclose(held @ unit, torch.full((len(held),), 3.0), atol=1e-4)
    assert torch.allclose(held - (held @ unit)[:, None] * unit, gone, atol=1e-4)


def test_latents_agree_with_sae_lens(suspect: Suspect, sae: Path) -> None:
    from sae_lens import SAE

    theirs = SAE.load_from_disk(str(sae), device="cpu")
    x, splice = edited(suspect, Intervention("splice", HOOK, sae=str(sae), coefficient=0))
    acts = theirs.encode(x)
    assert torch.allclose(splice, theirs.decode(acts), atol=1e-5)
    _, same = edited(suspect, Intervention("splice", HOOK, sae=str(sae)))
    assert torch.allclose(same, x, atol=1e-5)
    latent = int(acts.sum(0).argmax())
    row = theirs.W_dec[latent].detach()
    _, gone = edited(suspect, Intervention("ablate", HOOK, sae=str(sae), latents=(latent,)))
    assert torch.allclose(gone, x - acts[:, latent, None] * row, atol=1e-5)
    clamp = Intervention("clamp", HOOK, sae=str(sae), latents=(latent,), coefficient=2.0)
    _, held = edited(suspect, clamp)
    assert torch.allclose(held, x + (2 - acts[:, latent, None]) * row, atol=1e-5)
    _, added = edited(suspect, Intervention("add", HOOK, sae=str(sae), latents=(latent, 0)))
    assert torch.allclose(added, x + row + theirs.W_dec[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["standard", "jumprelu"])
def test_other_saes_agree_with_sae_lens(suspect: Suspect, tmp_path: Path, kind: str) -> None:
    import sae_lens

    torch.manual_seed(4)
    name = {"standard": "StandardSAE", "jumprelu": "JumpReLUSAE"}[kind]
    made: Any = getattr(sae_lens, name)(
        getattr(sae_lens, f"{name}Config")(d_in=32, d_sae=48, apply_b_dec_to_input=False)
    )
    for parameter in made.parameters():
        parameter.data = torch.randn_like(parameter) / 4
    made.save_model(tmp_path)
    x, splice = edited(suspect, Intervention("splice", HOOK, sae=str(tmp_path), coefficient=0))
    assert torch.allclose(splice, made.decode(made.encode(x)), atol=1e-5)


def test_noise_is_sized_by_the_stream_and_named_by_seed_and_text(suspect: Suspect) -> None:
    noise = Intervention("noise", HOOK, coefficient=0.5, seed=1)
    x, noisy = edited(suspect, noise)
    ratio = (noisy - x).norm(dim=-1) / x.norm(dim=-1)
    assert 0.4 < float(ratio.mean()) < 0.6
    alone = values(suspect, noise, texts=TEXTS[:1])
    together = values(suspect, noise)
    row = together.rows.index(0)
    mine = together.values[HOOK][row][together.mask[row]]
    assert torch.allclose(alone.values[HOOK][0], mine, atol=1e-5)
    _, other = edited(suspect, Intervention("noise", HOOK, coefficient=0.5, seed=2))
    assert not torch.allclose(other, noisy, atol=0.1)


def test_positions_choose_tokens(suspect: Suspect) -> None:
    before = values(suspect, texts=TEXTS[:1])
    only = Intervention("add", HOOK, DIRECTION, positions=(0, 2))
    moved = (values(suspect, only, texts=TEXTS[:1]).values[HOOK] != before.values[HOOK]).any(-1)
    assert moved[0].nonzero()[:, 0].tolist() == [2]
    none = values(suspect, Intervention("add", HOOK, DIRECTION, positions="generated"))
    assert torch.equal(none.values[HOOK], values(suspect).values[HOOK])


def test_chat_is_steered_in_prompt_and_reply(suspect: Suspect) -> None:
    chat = [[{"role": "user", "content": text}] for text in ("The red cat", "seven hills run")]

    def ids(**options: Any) -> list[tuple[int, ...]]:
        edit = Intervention("add", HOOK, DIRECTION, **options)
        replies = suspect.chat(chat, temperature=0, max_new_tokens=10, interventions=[edit])
        return [r[0].token_ids for r in replies]

    plain = [r[0].token_ids for r in suspect.chat(chat, temperature=0, max_new_tokens=10)]
    assert ids(coefficient=0.0) == plain
    steered = ids(coefficient=10.0)
    assert steered != plain
    generated = ids(coefficient=10.0, positions="generated")
    assert [g[0] for g in generated] == [p[0] for p in plain]
    assert generated not in (plain, steered)
    assert [r[0].token_ids for r in suspect.chat(chat, temperature=0, max_new_tokens=10)] == plain


def test_steered_decoding_equals_steered_scoring(suspect: Suspect) -> None:
    edit = Intervention("add", HOOK, DIRECTION, coefficient=3.0)
    text = "The red cat"
    reply = suspect.complete([text], temperature=0, max_new_tokens=1, interventions=[edit])[0][0]
    score = suspect.logprobs([text], interventions=[edit])[0]
    assert reply.token_ids == (int(score.last.argmax()),)
    assert int(suspect.logprobs([text])[0].last.argmax()) != reply.token_ids[0]


def test_aliases_work_and_unknown_hooks_raise(suspect: Suspect) -> None:
    x, added = edited(suspect, Intervention("add", "blocks.1.hook_resid_post", DIRECTION))
    assert torch.allclose(added, x + torch.tensor(DIRECTION), atol=1e-5)
    spent = suspect.usage.to_json()
    for name in ("blocks.1.hook_uot", "blocks.7.hook_out", "blocks.1.attn.hook_result"):
        with pytest.raises(BadParameter):
            suspect.logprobs(TEXTS, interventions=[Intervention("noise", name)])
        with pytest.raises(BadParameter):
            suspect.activations(TEXTS, [name])
    assert suspect.usage.to_json() == spent


def test_a_hook_that_does_not_fire_raises(suspect: Suspect) -> None:
    from workbench.suspects.decoding import Padded
    from workbench.suspects.edits import Edits

    edits = Edits([Intervention("noise", HOOK)], "cpu")
    Padded([(7, 8)], "cpu").announce(edits, frozenset())
    with pytest.raises(BadParameter, match="did not fire"):
        edits.finish()


def test_what_does_not_fit_the_hook_raises(suspect: Suspect, sae: Path) -> None:
    for edit in (
        Intervention("add", HOOK, (1.0, 2.0)),
        Intervention("add", "blocks.1.attn.hook_z", DIRECTION),
        Intervention("ablate", HOOK, sae=str(sae), latents=(64,)),
        Intervention("splice", HOOK, sae=str(sae / "none")),
    ):
        with pytest.raises(BadParameter):
            suspect.logprobs(TEXTS, interventions=[edit])
    card = json.loads((sae / "cfg.json").read_text())
    odd = sae.with_name("odd")
    odd.mkdir()
    (odd / "sae_weights.safetensors").write_bytes((sae / "sae_weights.safetensors").read_bytes())
    for change in ({"architecture": "matching_pursuit"}, {"normalize_activations": "layer_norm"}):
        (odd / "cfg.json").write_text(json.dumps({**card, **change}))
        with pytest.raises(BadParameter, match="kind"):
            suspect.logprobs(TEXTS, interventions=[Intervention("splice", HOOK, sae=str(odd))])


@pytest.mark.parametrize(
    "parts",
    [
        {"kind": "twist"},
        {"hook_name": ""},
        {"direction": ()},
        {"direction": (0.0, 0.0)},
        {"direction": (float("nan"),)},
        {"sae": "somewhere"},
        {"latents": (1,)},
        {"direction": (), "sae": "somewhere"},
        {"kind": "noise"},
        {"kind": "splice"},
        {"kind": "splice", "direction": (), "sae": "somewhere", "latents": (1,)},
        {"direction": (), "sae": "somewhere", "latents": (-1,)},
        {"coefficient": float("inf")},
        {"positions": "some"},
        {"positions": ()},
        {"positions": (-1,)},
    ],
)
def test_contradicting_parts_are_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        Intervention(**{"kind": "add", "hook_name": HOOK, "direction": (1.0,), **parts})


def test_interventions_are_plain_data() -> None:
    edit = Intervention("clamp", HOOK, sae="here", latents=(3,), positions=(0, 4), seed=2)
    document = json.loads(json.dumps(edit.to_json()))
    assert Intervention.from_json(document) == edit
    assert hash(Intervention.from_json(document)) == hash(edit)
    with pytest.raises(BadParameter, match="code"):
        Intervention.from_json({**document, "code": "x"})
    with pytest.raises(BadParameter, match="missing"):
        Intervention.from_json({"kind": "add"})
