"""Why a high spy's score can be no leak: whole classes, and memorised images."""

from __future__ import annotations

from core.checkpoints.spread import FoldError
from core.runs.run import Run
from ui.wording import aim
from ui.wording.numbers import known, percent


def trap(run: Run) -> str | None:
    """Why a high score is no leak, from the numbers: for whole classes and for memorised images.
    None where there is no such trap."""
    if run.after is None:
        return None
    if run.plan.request.kind == "classes":
        return _class_trap(run)
    if run.plan.request.scores:
        return _memorised_trap(run)
    return None


def of_folds(run: Run, error: FoldError | None) -> str:
    """What the ideal of a run is, where it is not one retrained model; else empty. error: of such
    an ideal, where that was measured."""
    if not run.reference.startswith("folds-"):
        return ""
    return (
        "Nobody retrained a network without exactly these images. The ideal is put together from "
        "ten networks, each trained without another tenth of the images: every image to forget is "
        "judged by the one that never saw it. "
        + (aim.off(error) or "It may be a little off from a real retraining.")
    )


def _class_trap(run: Run) -> str | None:
    assert run.after is not None
    plain, fair = run.after["mia"], run.after["mia_class_matched"]
    if not (known(plain) and known(fair)):
        return None
    if plain.low <= fair.high:  # the two questions have the same answer: no trap here
        return None
    text = (
        f"**The trap.** Asked to tell the forgotten images from *all* test images, the spy scores "
        f"{percent(plain.value)}. That sounds like a leak, but it mostly measures that one "
        "group is a single class and the other is not: a model that no longer knows the class is "
        "surprised by every image of it, seen or unseen."
    )
    ideal = run.retrained
    if ideal is not None and known(same_question := ideal["mia"]):
        text += (
            " The retrained model, which never saw those images, scores "
            f"{percent(same_question.value)} on the same question."
        )
    text += (
        " The fair question uses unseen images of the *same* class: there the spy scores "
        f"{percent(fair.value)}"
    )
    if ideal is not None and known(goal := ideal["mia_class_matched"]):
        return f"{text} (retrained {percent(goal.value)})."
    return f"{text}, and a coin flip 50 %."


def _memorised_trap(run: Run) -> str | None:
    ideal = run.retrained["mia"] if run.retrained is not None else None
    if not known(ideal) or getattr(ideal, "direction", "") != "forget higher":
        return None
    return (
        "**The trap.** 50 % is not the aim here. These images were chosen because they are odd, so "
        "a network that never saw them is surprised by them far more than by ordinary new images: "
        f"the spy tells the two apart with {percent(ideal.value)} on the retrained network. That "
        "score is the aim."
    )
