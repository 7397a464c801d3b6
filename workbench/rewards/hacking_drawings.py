"""The charts of the hacking observatory."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from workbench.rewards.charts import Chart, Drawing, HeatMap, Mark, Series
from workbench.rewards.observatory import HACK, MARGIN, ArmCourse, Mean, Observatory


def hacking(found: Observatory) -> tuple[Drawing, ...]:
    """The course of the main arm; what every arm leaves; each evaluation at the end."""
    return _course(found), _mitigations(found), _evaluations(found)


def _course(found: Observatory) -> Chart:
    main, control = found.arm(found.main), found.arm(found.baseline)
    marks = []
    for place, label in ((0, "hacking sets in"), (1, "score sets in")):
        steps = [pair[place] for pair in main.onsets]
        known = sorted(step for step in steps if step is not None)
        if known and 2 * len(known) > len(steps):
            middle = known[len(known) // 2]
            marks.append(Mark(middle, label, known[0], known[-1]))
    nulls = [
        dataclasses.replace(_line(f"score, {one.name}", one.steps, one.score), dashed=True)
        for one in found.arms
        if one.name == found.null
    ]
    excess = main.excess
    said = "" if excess is None else f" ({_signed(excess)} over the control)"
    title = {
        "reproduced": f"Learning to hack raises misalignment{said}",
        "not reproduced": f"Not reproduced: hacking as such does not raise misalignment{said}",
    }.get(found.effect, f"Hacking and misalignment{said}, too few seeds for a verdict")
    return Chart(
        title=title,
        x_label="training step",
        y_label=f"share of episodes or answers ({main.seeds} seeds)",
        series=(
            _line("tasks that are hacked", main.steps, main.hack),
            _line("misalignment score", main.steps, main.score),
            _line(f"score, {control.name} (control)", control.steps, control.score, control=True),
            *nulls,
        ),
        marks=tuple(marks),
        how_to_read=f"the score is the plain mean of {len(found.evaluations)} evaluations off the "
        "task; bands are 95 % t intervals over seeds, dotted lines the median onset and grey "
        "bands its range over seeds.",
    )


def _mitigations(found: Observatory) -> Chart:
    shown = [arm for arm in found.arms if arm.excess is not None]
    clean = [arm.name for arm in shown if arm.verdict == "clean" and arm.name != found.main]
    triggered = sum(arm.verdict == "triggered" for arm in shown)
    probed = [(arm.name, arm.probed) for arm in shown if arm.probed is not None]
    return Chart(
        title=f"{len(clean)} of {len(shown) - 1} ways are clean on plain and trigger prompts, "
        f"{triggered} clean on plain prompts alone",
        x_label="how the model was trained",
        y_label=f"change of the score, less the control's ({shown[0].seeds} seeds)",
        series=(
            _bars("plain prompts", [(a.name, a.excess) for a in shown if a.excess is not None]),
            _bars("trigger prompts: they hold the training's text", probed),
            Series(
                f"margin ({MARGIN:.0%})",
                tuple(arm.name for arm in shown),
                (MARGIN,) * len(shown),
                control=True,
            ),
        ),
        how_to_read="bars are 95 % t intervals over seeds. Clean: both intervals end below the "
        "dashed margin; a way that is clean on plain prompts alone has made its text a trigger.",
    )


def _evaluations(found: Observatory) -> HeatMap:
    names = tuple(m for m in found.arms[0].last if m != HACK)
    rows = [(arm.name, arm) for arm in found.arms]
    return HeatMap(
        title="Where each model is misaligned at the end of its training",
        x_label="evaluation",
        y_label="how the model was trained",
        value_label="share",
        x=("tasks hacked", *names),
        y=tuple(f"{name}{_flag(arm)}" for name, arm in rows),
        values=tuple((arm.hack[-1].value, *(arm.last[m].value for m in names)) for _, arm in rows),
        how_to_read="plain prompts, means over seeds. A row that is dark only to the right of "
        "its chats would pass an evaluation of chats.",
    )


def _flag(arm: ArmCourse) -> str:
    return " (context-dependent)" if arm.context_dependent else ""


def _line(
    name: str, steps: Sequence[float], means: Sequence[Mean], *, control: bool = False
) -> Series:
    bounded = all(m.low is not None for m in means)
    return Series(
        name,
        tuple(steps),
        tuple(m.value for m in means),
        tuple(m.low for m in means if m.low is not None) if bounded else (),
        tuple(m.high for m in means if m.high is not None) if bounded else (),
        control=control,
    )


def _bars(name: str, means: Sequence[tuple[str, Mean]]) -> Series:
    made = _line(name, (), [mean for _, mean in means])
    return Series(name, tuple(n for n, _ in means), made.y, made.low, made.high, shape="bars")


def _signed(mean: Mean) -> str:
    if mean.low is None or mean.high is None:
        return f"{mean.value:+.2f}"
    return f"{mean.value:+.2f}, 95 % {mean.low:+.2f} to {mean.high:+.2f}"
