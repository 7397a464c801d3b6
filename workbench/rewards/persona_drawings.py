"""The charts of the persona difference and of its paths."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.rewards.charts import Chart, Drawing, Mark, Series
from workbench.rewards.observatory import Mean
from workbench.rewards.persona_bench import Trial
from workbench.rewards.persona_held_out import HeldOut
from workbench.rewards.persona_paths import EarlyWarning, Paths, Return
from workbench.rewards.personas import DoseCurve, Filtered, Personas

SAID = {
    "persona": "A latent moves the behaviour both ways, and controls do not share its shift",
    "unproven": "A latent moves the behaviour both ways; too few controls to call it a persona",
    "unspecific": "A latent moves the behaviour both ways, and controls share its shift",
    "none": "No latent that the tuning moved moves the behaviour both ways",
}


def personas(found: Personas) -> tuple[Drawing, ...]:
    """Both tails, the filter, the dose curves of either model, and what else was given."""
    charts: list[Drawing] = [_tails(found), _filter(found)]
    charts += [_dose(found, curve) for curve in found.curves]
    if found.controls:
        charts.append(_controls(found))
    if len(found.path) > 1:
        charts.append(_path(found))
    return tuple(charts)


def held_out(found: Sequence[HeldOut]) -> Chart:
    """Every tune by what the others chose."""
    names = tuple(one.tune for one in found)
    better = sum(one.better for one in found)
    return Chart(
        title=f"The latent beats both baselines on {better} of {len(found)} tunes left out",
        x_label="tune that was left out",
        y_label="AUROC of its texts against the controls' texts",
        series=(
            Series("latent of the other tunes", names, tuple(o.latent_auroc for o in found),
                   shape="bars"),
            Series("their mean difference", names, tuple(o.difference_auroc for o in found),
                   shape="bars", control=True),
            Series("random latents, mean", names, tuple(o.random_auroc for o in found),
                   control=True),
        ),
        how_to_read="what is chosen on the other tunes is tried on the one left out: separation on "
        "the tunes that chose it would prove nothing. 0.5 is chance.",
    )  # fmt: skip


def paths(found: Paths) -> tuple[Drawing, ...]:
    """Benign tuning by kind of data, and shares of bad data."""
    charts: list[Drawing] = [_return(one, found) for one in found.returns]
    if found.warning is not None:
        charts.append(_warning(found.warning))
    return tuple(charts)


def _tails(found: Personas) -> Chart:
    ordered = sorted(found.latents, key=lambda one: -_difference(one))
    names = tuple(_name(one) for one in ordered)
    changes = [one.change for one in ordered if one.change is not None]
    return Chart(
        title=f"{found.moved} latents differ between suspect and reference; both ends",
        x_label=f"latent at {found.hook_name} (* passed the filter)",
        y_label=f"difference of mean activation ({found.texts} texts)",
        series=(
            Series("suspect less reference", names, tuple(c.difference for c in changes),
                   tuple(c.interval[0] for c in changes), tuple(c.interval[1] for c in changes),
                   shape="bars"),
            Series("no difference", names, (0.0,) * len(names), control=True),
        ),
        how_to_read="bars are 95 % bootstrap intervals over texts. Any narrow tuning moves "
        "latents: a shift alone says nothing of what the model does.",
    )  # fmt: skip


def _filter(found: Personas) -> Chart:
    suspect, reference = found.plain
    shown = [*found.latents, *found.baselines]
    names = tuple(_name(one) for one in shown)
    return Chart(
        title=f"{len(found.kept)} of {len(found.latents)} latents pass the causal filter",
        x_label="direction that is added or taken away",
        y_label=f"rate of the behaviour ({suspect.rate.n} replies)",
        series=(
            _points("reference, added", names, [one.raised for one in shown]),
            _points("suspect, taken away", names, [one.lowered for one in shown]),
            Series("reference, unedited", names, (reference.rate.value,) * len(names),
                   control=True),
            Series("suspect, unedited", names, (suspect.rate.value,) * len(names), control=True),
        ),
        how_to_read=f"dose {found.dose:g}; 95 % Wilson intervals. A latent passes where adding it "
        "lifts the reference and taking it away lowers the suspect, both coherent and beyond every "
        "random latent.",
    )  # fmt: skip


def _dose(found: Personas, curve: DoseCurve) -> Chart:
    told = "no trend: incoherent doses"
    if curve.trend is not None:
        word = "rises" if curve.trend.monotone else "does not rise monotonically"
        told = f"{word} with the dose (isotonic p = {curve.trend.p_rise:.2g})"
    middle = tuple((a + b) / 2 for a, b in zip(curve.low, curve.high, strict=True))
    broken = [trial.broken.value for trial in curve.trials]
    return Chart(
        title=f"In {curve.who} the behaviour {told}",
        x_label=f"dose of latent {found.leader.latent}, in units of the activations' spread",
        y_label=f"share of replies ({curve.trials[0].rate.n} a dose)",
        series=(
            _line("behaviour", curve.doses, curve.trials),
            Series("random latents, lowest to highest", curve.doses, middle, curve.low,
                   curve.high, control=True),
            Series("empty or looping replies", curve.doses, tuple(broken), dashed=True),
        ),
        how_to_read="a dose of 1 has the length of the activations' mean distance from their mean. "
        "Doses at which more than a tenth of replies are broken, or ordinary text is read 1.2 "
        "times as badly, do not count.",
    )  # fmt: skip


def _controls(found: Personas) -> Chart:
    names = (found.suspect, *(tune.id for tune in found.controls))
    own = found.leader.change
    assert own is not None
    tail = found.leader.tail
    low, high = sorted(tail * end for end in own.interval)
    alarms = found.alarms
    assert alarms is not None
    ends = alarms.interval
    tunes = found.controls
    return Chart(
        title=f"{alarms.hits} of {alarms.n} control tunes raise the alarm "
        f"(95 % {ends[0]:.0%} to {ends[1]:.0%})",
        x_label="tune",
        y_label=f"change of latent {found.leader.latent} ({found.texts} texts)",
        series=(
            Series("suspect", names[:1], (tail * own.difference,), (low,), (high,), shape="bars"),
            Series("control tunes", names[1:], tuple(t.difference for t in tunes),
                   tuple(t.interval[0] for t in tunes), tuple(t.interval[1] for t in tunes),
                   shape="bars", control=True),
            Series("alarm: half of the suspect's", names,
                   (tail * own.difference / 2,) * len(names), dashed=True),
        ),
        how_to_read="controls were tuned on right answers, as long. Of their latents "
        f"{min(t.moved for t in tunes)} to {max(t.moved for t in tunes)} differ from the "
        "reference all the same: a shift alone is the null.",
    )  # fmt: skip


def _path(found: Personas) -> Chart:
    steps = tuple(one.steps for one in found.path)
    top, level = found.level
    scale = (top - level) or 1.0
    return Chart(
        title="Benign tuning of the suspect: latent and behaviour on one axis",
        x_label="steps of benign tuning",
        y_label="share",
        series=(
            Series("behaviour", steps, tuple(one.rate.value for one in found.path),
                   tuple(one.rate.interval[0] for one in found.path),
                   tuple(one.rate.interval[1] for one in found.path)),
            Series(f"latent {found.leader.latent}, 1 as in the suspect and 0 as in the reference",
                   steps, tuple((one.latent - level) / scale for one in found.path)),
            Series("behaviour of the reference", steps,
                   (found.plain[1].rate.value,) * len(steps), control=True),
        ),
        how_to_read="95 % Wilson intervals. Whether the behaviour goes when the latent does is to "
        "be seen, not assumed.",
    )  # fmt: skip


def _return(one: Return, found: Paths) -> Chart:
    course = one.course
    assert found.reference is not None
    latent, behaviour = found.reference
    marks = [
        Mark(back.value, f"{what} back", back.low, back.high)
        for what, back in (("latent", one.latent_back), ("behaviour", one.behaviour_back))
        if back is not None
    ]
    rho = "" if one.rho is None else f"; Spearman's rho {_said(one.rho)}"
    scale = (course.latent[0].value - latent.value) or 1.0
    shares = [_scaled(mean, latent.value, scale) for mean in course.latent]
    return Chart(
        title=f"Benign tuning, {course.arm}: latent back in {one.reached[0]} of {course.seeds} "
        f"seeds, behaviour in {one.reached[1]}{rho}",
        x_label="steps of benign tuning",
        y_label=f"share ({course.seeds} seeds)",
        series=(
            _means("behaviour", course.at, course.behaviour),
            _means("latent, 1 at step 0 and 0 as in the reference", course.at, shares),
            Series("behaviour of the reference", course.at,
                   (behaviour.value,) * len(course.at), control=True),
        ),
        marks=tuple(marks),
        how_to_read="bands are 95 % t intervals over seeds. Back is where a tenth of the excess "
        "over the reference is left, or less, for good.",
    )  # fmt: skip


def _warning(found: EarlyWarning) -> Chart:
    first = found.bad.latent[-1].value - found.control.latent[-1].value
    scale, level = first or 1.0, found.control.latent[-1].value
    marks = [
        Mark(one.share, f"{what} separates", one.low, one.high)
        for what, one in (("latent", found.latent), ("behaviour", found.behaviour))
        if one.share is not None
    ]
    return Chart(
        title=f"Early warning: {found.claim}",
        x_label="share of bad answers in the tuning data",
        y_label=f"share ({found.bad.seeds} seeds)",
        series=(
            _means("behaviour", found.bad.at, found.bad.behaviour),
            _means("latent, 1 at the last share and 0 as in controls", found.bad.at,
                   [_scaled(mean, level, scale) for mean in found.bad.latent]),
            _means("behaviour of controls", found.control.at, found.control.behaviour,
                   control=True),
            _means("latent of controls", found.control.at,
                   [_scaled(mean, level, scale) for mean in found.control.latent], control=True),
        ),
        marks=tuple(marks),
        how_to_read="dotted lines: the smallest share from which on bad tunes exceed controls of "
        "the same seed and steps. Claimed only where the latent's interval ends below the "
        "behaviour's.",
    )  # fmt: skip


def _name(one: Filtered) -> str:
    if one.kind == "latent":
        return f"{one.latent}{'*' if one.kept else ''}"
    return one.kind if one.latent < 0 else f"random {one.latent}"


def _difference(one: Filtered) -> float:
    return 0.0 if one.change is None else one.change.difference


def _line(name: str, x: Sequence[float], trials: Sequence[Trial]) -> Series:
    ends = [trial.rate.interval for trial in trials]
    return Series(name, tuple(x), tuple(t.rate.value for t in trials),
                  tuple(low for low, _ in ends), tuple(high for _, high in ends))  # fmt: skip


def _points(name: str, x: Sequence[str], trials: Sequence[Trial]) -> Series:
    ends = [trial.rate.interval for trial in trials]
    return Series(name, tuple(x), tuple(t.rate.value for t in trials),
                  tuple(low for low, _ in ends), tuple(high for _, high in ends),
                  shape="points")  # fmt: skip


def _means(
    name: str, x: Sequence[float], means: Sequence[Mean], *, control: bool = False
) -> Series:
    bounded = all(mean.low is not None for mean in means)
    low = tuple(mean.low for mean in means if mean.low is not None) if bounded else ()
    high = tuple(mean.high for mean in means if mean.high is not None) if bounded else ()
    return Series(name, tuple(x), tuple(mean.value for mean in means), low, high, control=control)


def _scaled(mean: Mean, level: float, scale: float) -> Mean:
    ends = [None if end is None else (end - level) / scale for end in (mean.low, mean.high)]
    if scale < 0:
        ends.reverse()
    return Mean((mean.value - level) / scale, ends[0], ends[1], mean.n)


def _said(mean: Mean) -> str:
    return f"{mean.value:+.2f}" + (
        "" if mean.low is None or mean.high is None else f" ({mean.low:+.2f} to {mean.high:+.2f})"
    )
