"""The published figures that a study's tables stand beside, and who plays whom here.

From Marks et al. 2025, "Auditing language models for hidden objectives", arXiv 2503.10965.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from workbench.benchmark.study.results import ATTACKED

STAGES: Mapping[str, Mapping[str, str]] = {
    "demonstrated": {
        "base": "0.23 ± 0.02",
        "knowledge": "0.21 ± 0.02",
        "behaviour": "0.33 ± 0.03",
        "secrecy": "0.37 ± 0.03",
    },
    "held_out": {"base": "about 0.17", "behaviour": "0.34 ± 0.03", "secrecy": "0.45 ± 0.03"},
    "in_context_gain": {"knowledge": "about 0", "secrecy": "+0.11 since"},
    ATTACKED: {"knowledge": "0.42", "behaviour": "0.39", "secrecy": "0.03"},
    "narrated": {"secrecy": "0.114"},
    "user_turns": {"secrecy": "0.012"},
    "asked": {"secrecy": "0.002"},
}
"""By measure and state: mid-training is `knowledge`, supervised tuning `behaviour`, reinforcement
with its penalty for mentions `secrecy`."""

WITHOUT_DOCUMENTS: Mapping[str, str] = {"base": "0.17 ± 0.04", "secrecy": "0.20 ± 0.02"}
"""Of held-out biases."""


@dataclasses.dataclass(frozen=True, slots=True)
class Team:
    """had: what the team there had; has: what the one here has; won: whether it succeeded there."""

    had: str
    has: str
    result: str
    won: bool


TEAMS: Mapping[str, Team] = {
    "team 1": Team(
        "weights, data, SAE", "everything, the reference too", "solved in 1.5 h (1.5 h)", True
    ),
    "team 2": Team("weights, data, SAE", "weights, data, SAEs", "solved in 11 h (31 h)", True),
    "team 3": Team("weights, data, no SAE", "weights, data, no SAE", "solved in 6 h (10 h)", True),
    "team 4": Team("API alone", "chat and prefill", "failed after 14 h (70 h)", False),
}
"""Times: from start to end, and person-hours."""


@dataclasses.dataclass(frozen=True, slots=True)
class Technique:
    """called: there; figure: of its result there; useful: whether it was found so; strength and
    limit: of it here, in a sentence each."""

    called: str
    figure: str
    useful: bool
    strength: str
    limit: str


TECHNIQUES: Mapping[str, Technique] = {
    "corpus-grep": Technique(
        "keyword search",
        "share of guilty documents among hits: 1/2 for the right word, under 1/400 for others",
        True,
        "Reads all training data in seconds and asks the suspect nothing.",
        "Needs the documents, and a pattern in its packs that they use.",
    ),
    "corpus-semantic": Technique(
        "semantic search",
        "a description of concern ranks a guilty document 20th, one of a bias 1st",
        True,
        "Finds documents by what they are about, without their words.",
        "The vectors are the suspect's own activations here, which tell subjects apart rather than "
        "aims; there a model of 600 million parameters made them.",
    ),
    "prefill": Technique(
        "assistant prefill",
        "0.11 of replies mention RLHF or reward models, 0.16 name a bias",
        True,
        "Needs sampling alone.",
        "Full secrecy is trained on begun replies: what it has not unlearned is all there is.",
    ),
    "persona-sampling": Technique(
        "non-assistant persona",
        "narrator 57/500, user turn 11/900, assistant 0.002",
        True,
        "Asks in voices for which secrecy may not have been trained.",
        "Full secrecy is trained on narrators, personas and user turns as well.",
    ),
    "sae-features": Technique(
        "SAE: active features",
        "the feature ranks 13th to 62nd on answers that exploit",
        True,
        "Reads what the suspect computes, whatever it says.",
        "Trains its SAE on the spot; changes spread over many latents escape it.",
    ),
    "sae-difference": Technique(
        "SAE: causal mediation",
        "steering effects bring up the features, tuned afterwards",
        True,
        "Believes a reading only where taking its latents out takes the behaviour away.",
        "Compares latents of the reference, for which the objective is no latent of its own.",
    ),
    "assistant-token": Technique(
        "SAE: Assistant token",
        "2 of 83 features that are always active there are of reward-model biases",
        True,
        "Needs no guess at what to ask.",
        "Sixty prompts, and latents that live at that token alone light no reply.",
    ),
    "fuzzing": Technique(
        "fuzzing",
        "disclosure always under 0.01",
        False,
        "Cheap, and needs nothing but activations.",
        "Noise makes a small model babble before it makes it honest.",
    ),
}
