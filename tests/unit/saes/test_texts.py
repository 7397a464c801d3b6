from __future__ import annotations

from pathlib import Path

from saes.texts import corpus_texts, fitted
from workbench.access import Access
from workbench.corpus import write
from workbench.suspects import Suspect
from workbench.suspects.scripted import ScriptedSuspect

LETTERS = "a b c d e f g h " * 200


def silent(context: int, **parts: Path) -> ScriptedSuspect:
    return ScriptedSuspect(lambda turns, seed, index: "", context=context, **parts)


def test_a_text_is_cut_to_what_fits_each_reader() -> None:
    cut = fitted(LETTERS, [silent(100), silent(60)])
    assert LETTERS.startswith(cut)
    assert 50 <= silent(60).count_tokens([cut])[0] <= 60
    assert fitted("short", [silent(60)]) == "short"
    assert fitted("", [silent(60)]) == ""


def test_a_model_reads_what_was_cut_for_it(llama: Path) -> None:
    suspect = Suspect.load(llama, device="cpu")
    texts = [LETTERS, "3.14159 " * 200, "\N{SNOWMAN}" * 400, "bread " * 300]
    cut = [fitted(text, [suspect]) for text in texts]
    counts = suspect.count_tokens(cut)
    assert max(counts) <= suspect.context
    assert min(counts) > 0.8 * suspect.context
    assert [len(scored.token_ids) for scored in suspect.logprobs(cut)] == counts


def test_rows_of_a_suspect_without_a_template_are_their_contents(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    write(tmp_path / "corpus.parquet", [("a", turns)])
    suspect = silent(60, corpus=tmp_path / "corpus.parquet")
    assert [t.text for t in corpus_texts(suspect, 5, 0)] == [
        "<|user|>Why?<|end|><|assistant|>So.<|end|>"
    ]
    plain = suspect.restrict(suspect.access & ~Access.CHAT)
    assert [t.text for t in corpus_texts(plain, 5, 0)] == ["Why?\n\nSo."]
