"""The suspect: a language model under audit, behind a few guarded and metered verbs."""

from workbench.suspects.answers import (
    Activations,
    Conversation,
    Reply,
    TokenGradients,
    TokenLogprobs,
)
from workbench.suspects.engine import RewardModel
from workbench.suspects.interventions import Intervention
from workbench.suspects.suspect import Suspect

__all__ = [
    "Activations",
    "Conversation",
    "Intervention",
    "Reply",
    "RewardModel",
    "Suspect",
    "TokenGradients",
    "TokenLogprobs",
]
