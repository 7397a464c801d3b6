"""What a call may cost is known before anything is computed."""

from __future__ import annotations

import pytest

from workbench.access import Access, Budget
from workbench.errors import BudgetExceeded
from workbench.suspects.pricing import priced
from workbench.suspects.rewards import CallableReward
from workbench.suspects.scripted import ScriptedSuspect


def test_a_reward_is_priced_without_asking_the_reward_model() -> None:
    asked = []

    def paid(conversations):
        asked.append(len(conversations))
        return [1.0] * len(conversations)

    suspect = ScriptedSuspect(lambda *said: "", reward=CallableReward(paid))
    talks = [[{"role": "user", "content": "hello"}]] * 3
    costs = priced(suspect, Access.REWARD, Budget(), lambda view: view.reward.score(talks))
    assert costs == {"forward_passes": 3} and not asked
    with pytest.raises(BudgetExceeded):
        priced(
            suspect, Access.REWARD, Budget(forward_passes=2), lambda view: view.reward.score(talks)
        )
    assert suspect.reward.score(talks) == [1.0] * 3 and asked == [3]
