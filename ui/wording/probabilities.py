"""Sentences on probabilistic models that forget, made from the numbers that stand beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.metrics.measures import Evaluation
from ui.wording import numbers
from ui.wording.numbers import known, percent, points

FORGET, USEFUL = "Right on images to forget", "Right on new images"
SPY = "Spy's score"

if TYPE_CHECKING:
    from core.graphical.comparing import TreePair
    from core.graphical.forgetting import Forgotten
    from core.graphical.network import InNetwork

CHOICES = {
    "random:50": "50 at random",
    "random:0.1": "A random tenth",
    "class:1": "Every 1",
    "memorised:50": "The 50 most memorised",
}
"""What is offered to be forgotten, by the short form of its request."""
LEFT = {
    "influence": "what is left is what a straight line misses of a curve",
    "newton": "what is left is what a straight line misses of a curve",
    "descent_to_delete": "what is left is the noise that hides how far its descent still was",
}
"""Why a method for the logistic model does not end at the retrained one."""
MARGIN = "Margin spy (AUC)"
RE_HEAD = "Known inside (re-head excess)"


def seconds(value: float) -> str:
    """A short time: "0.4 ms", "1.2 s"."""
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.2g} ms"


def headline(done: Forgotten) -> str:
    """Whether the model after is the retrained one."""
    if done.exact:
        size = sum(table.size for table in done.models["after"].parameters.values())
        return f"Forgotten exactly: all {size:,} of its numbers are those of the retrained model."
    text, verdict = "Not the retrained model, only more or less near to it.", done.verdict
    if verdict is None:
        return text
    why = f", with {_images(len(done.task.split.forget))} to judge by"
    why = why if verdict.word == "cannot tell" else ""
    return f"{text} The verdict that a network would get: {verdict.word}{why}."


def takeaway(done: Forgotten) -> str:
    """When forgetting can be exact: the sentence to leave with."""
    gone, spent = len(done.task.split.forget), done.seconds
    if counts := done.counts:
        return (
            f"**When can forgetting be exact?** Where a model is made of sums over images. To "
            f"forget {_images(gone)}, {counts['changed']:,} of its {counts['numbers']:,} counts "
            f"were lowered, in {seconds(spent['unlearning'])}; whole numbers can be taken away in "
            f"any order, and nothing of them stays. {_again(spent)}"
        )
    if done.spread:
        return f"**Why not here?** {_hidden(done)}"
    distances = [done.measured[which].value("activation_distance") for which in ("before", "after")]
    nearer, method = 1 - distances[1] / distances[0], done.task.method
    way = f"covers {percent(nearer)} of" if nearer > 0 else f"adds {percent(-nearer)} to"
    return (
        "**Why not here?** The best weights are one point that all images decide together; no "
        f"image has a part of its own in them. {method.label} took {seconds(spent['unlearning'])} "
        f"and {way} the distance between the answers before and the retrained model's; "
        f"{LEFT[method.name]}."
    )


def _again(spent: Mapping[str, float]) -> str:
    text = f"Retraining took {seconds(spent['retraining'])}"
    if spent["retraining"] > 2 * spent["unlearning"]:
        return f"{text}."
    return (
        f"{text}, as little, since these are few images: its cost grows with all of them, that of "
        "taking away only with those to forget."
    )


def _hidden(done: Forgotten) -> str:
    from core.graphical.comparing import moved
    from core.graphical.hidden import HiddenModel

    before, after, retrained = (done.models[which] for which in ("before", "after", "retrained"))
    assert isinstance(before, HiddenModel)
    assert isinstance(after, HiddenModel)
    assert isinstance(retrained, HiddenModel)
    retain = done.task.retain
    if done.exact:
        return (
            "It was exact here, because a whole class went: each class has hidden states of its "
            "own, and these went with it. Of part of a class it would not be."
        )
    other, still = moved(before, retrained, retain), moved(after, retrained, retain)
    unit = "group" if before.STEPS == 1 else "path"
    text = (
        f"Because of the hidden variable: nobody ever saw which {unit} an image is of. Retrained "
        f"without the {_images(len(done.task.split.forget))}, {other:,} of the {len(retain):,} "
        f"digits that stay are held to be of another {unit}, though nobody touched them. What the "
        "forgotten were responsible for was taken away here, and EM went on for up to "
        f"{done.task.method.settings()['iterations']} steps: {still:,} are still of another {unit} "
        "than in the retrained model, for EM stays where the forgotten digits had led it."
    )
    if not done.again:
        return text
    seed = done.again[0]
    assert isinstance(seed, HiddenModel)
    differ = moved(seed, retrained, retain)
    return (
        f"{text} (Retrained from another start, EM itself has {differ:,} in another one: there are "
        "many maxima, and none is the only right one.)"
    )


def _images(count: int) -> str:
    return f"{count:,} digit{'s' * (count != 1)}"


def rows(done: Forgotten) -> dict[str, list[str]]:
    """The table of a model before, after and retrained."""
    return measured_rows(done.measured)


def measured_rows(measured: Mapping[Any, Evaluation], inside: bool = False) -> dict[str, list[str]]:
    """A row a number, with its 95 % interval. inside: what is known inside as well."""
    names = {
        "forget_accuracy": FORGET,
        "retained_test_accuracy": USEFUL,
        "mia": SPY,
        "margin_auc": MARGIN,
    }
    if inside:
        names["re_head"] = RE_HEAD
    return numbers.measured_rows(measured, names)


def picture(title: str, digit: str, shown: NDArray[Any], unit: str) -> str:
    """What a picture of pixels shows, for who cannot see it."""
    row, column = divmod(int(np.argmax(shown)), 8)
    return (
        f"{title}, digit {digit}: {unit}, at 8 by 8 pixels; most in row {row + 1}, "
        f"column {column + 1}: {float(shown.max()):,.2g}"
    )


def changed(done: Forgotten, digit: str, lost: int) -> str:
    """How many images a digit lost, in numbers of the books."""
    images = getattr(done.models["before"], "images", None)
    total = 0 if images is None else int(images[done.task.dataset.class_names.index(digit)])
    if not lost:
        return f"None of the {total} images of the digit {digit} was taken away."
    text = f"Of {total} images labelled {digit}, {lost} were taken away, pixel by pixel."
    if lost == total:
        text += " What is left is the prior: what the model says of a digit that it never saw."
    return text


def trees(pairs: Sequence[TreePair]) -> str:
    """Whether the deletion changed what was learned of how pixels go together."""
    others = [pair for pair in pairs if pair.changed]
    if not others:
        which = "The tree is" if len(pairs) == 1 else "All trees are"
        return f"{which} the same as before; only the counts along the edges changed."
    edges = sum(len(pair.lost) for pair in others), sum(len(pair.new) for pair in others)
    what = "The tree is another one" if len(pairs) == 1 else _several(others, pairs)
    return (
        f"**{what} without these digits**: {edges[0]} edges are gone, {edges[1]} are new. An edge "
        "joins two pixels that tell most of each other, by the counts. To forget exactly is to "
        "give up what was learned of the structure, too; the retrained model has the same tree."
    )


def _several(others: Sequence[TreePair], pairs: Sequence[TreePair]) -> str:
    if len(others) == 1:
        return f"One of {len(pairs)} trees is another one"
    return f"{len(others)} of {len(pairs)} trees are others"


def tree(title: str, edges: int, different: int) -> str:
    """What a picture of a tree shows."""
    name = "gone afterwards" if title == "Before" else "new"
    return f"{title}: {edges} edges between 64 pixels, {different} of them {name}."


def head(done: Forgotten, inside: InNetwork | None) -> str:
    """What the last layer of sums did, and what the network makes of it."""
    spent = seconds(done.seconds["unlearning"])
    exact = "exactly" if done.exact else "nearly"
    text = f"The last layer forgot {exact}, in {spent}."
    if inside is None or inside.verdict is None:
        return text
    return f"{text} The network's verdict: {inside.verdict.word}."


def features(inside: InNetwork) -> str:
    """What the features still know: the re-head measure of the verdict."""
    before, after, ideal = (inside.measured[which] for which in ("before", "after", "retrained"))
    text = (
        f"It is right on {percent(after.value('forget_accuracy'))} of the digits to forget "
        f"({percent(before.value('forget_accuracy'))} before); a network that never saw them, with "
        f"the same kind of last layer, on {percent(ideal.value('forget_accuracy'))}."
    )
    known_after, known_ideal = after["re_head"], ideal["re_head"]
    if not known(known_after) or not known(known_ideal):
        return text
    return (
        f"{text} No deletion in the last layer changes the features: a fresh read-out of them is "
        f"{points(known_after.value)} more often right on what was to be forgotten than on what it "
        f"is compared with; of the network that never saw it, {points(known_ideal.value)}. **What "
        "is counted can be taken away; what was learned before the counting stays.**"
    )


def no_network() -> str:
    """Why it is not judged as a network."""
    return (
        "No network was retrained without exactly these digits, so what the features still know "
        "cannot be told here. Such networks come with three of the choices: a random tenth, every "
        "1, and the 50 most memorised."
    )
