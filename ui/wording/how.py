"""The five panels of How it works in words: what each is about, its equation, and what the finished
runs that ship say to it. A sentence whose numbers are missing is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.metrics.measures import Measure
from core.runs.summary import RunSummary
from ui.wording.numbers import duration, known, percent, points


@dataclass(frozen=True)
class Panel:
    """key: the last part of its address. text: what it is about. equation: in LaTeX; reading: the
    equation in words."""

    key: str
    title: str
    text: str
    equation: str
    reading: str


MEMORISE = Panel(
    "memorise",
    "It learns rules, and some photos by heart",
    "A network that has seen thousands of cats knows what cats look like. It needs no single one "
    "of them for that. But a few photos fit no rule: a cat under a blanket, a wrong label. Those "
    "it can only remember. The test is to train without a photo and to see what is lost.",
    r"\mathrm{mem}(x) = P_{D}(y \mid x) - P_{D \setminus x}(y \mid x)",
    "How much likelier the right answer $y$ to photo $x$ is after training on all data $D$ than "
    "after training on all but $x$ (Feldman, 2020).",
)
REQUEST = Panel(
    "request",
    "What a request to forget asks for",
    "Somebody wants their photos out. The certain way is to train a new network without them: it "
    "cannot know what it never saw. That network is the [ideal](#the-ideal). Machine unlearning "
    "tries to get to the same place from the network that is there, in a small part of the time.",
    r"U\big(A(D),\, D,\, D_f\big) \;\approx\; A(D \setminus D_f)",
    "Unlearning $U$ takes the trained network $A(D)$, its data $D$ and the photos to forget "
    "$D_f$. What comes out should be as if trained without them.",
)
SHORTCUT = Panel(
    "shortcut",
    "The shortcut: silence",
    "There is a trick that takes no time at all: forbid the network one answer. It never says "
    "*automobile* again, and not a single one of its weights has changed. Whoever judges by the "
    "answers is fooled.",
    r"\tilde z_c(x) = -\infty, \qquad \tilde z_k(x) = z_k(x) \;\; (k \neq c)",
    "The output $z_c$ of class $c$ is switched off; all others stay.",
)
SPY = Panel(
    "spy",
    "The spy, and the question it is asked",
    "A network is less surprised by photos that it was trained on. A spy uses that: it looks at "
    "the [surprise](#surprise) alone and guesses *trained on* or *new*. But what it is asked "
    "matters. Its score below is for a network that **never saw one automobile**, so nothing can "
    "have leaked.",
    r"\mathrm{score} = \tfrac12\, P_{D_f}(g = \mathrm{seen}) + \tfrac12\, P_{T}(g = \mathrm{new})",
    "How often the guess $g$, made from the loss, is right for the photos to forget $D_f$ and for "
    "new ones $T$. A coin flip scores one half. $T$ is what the switch changes.",
)
INSIDE = Panel(
    "inside",
    "Look inside",
    "To tell silence from forgetting, give the network a new mouth: keep all that it sees in a "
    "photo, and fit a fresh last layer to that. If the fresh layer names the forgotten class "
    "better than it could with a network that never learned it, the knowledge is still there.",
    r"\mathrm{excess} = \mathrm{acc}_{\,c}(h \circ \phi) - \mathrm{acc}_{\,\neg c}(h \circ \phi)",
    "How much better the fresh layer $h$ on the features $\\phi$ is on new photos of the "
    "forgotten class $c$ than on those of the others.",
)


def memorise(tenth: RunSummary | None, clung: RunSummary | None) -> str:
    """What those who never saw them know of a random tenth, and of the most memorised photos."""
    said = []
    if tenth is not None and (pair := _seen_and_unseen(tenth)):
        said.append(
            f"A network that learned a random tenth of the photos is right on {percent(pair[0])} "
            f"of them; one that never saw them is right on {percent(pair[1])}. So most of it is "
            "rules."
        )
    if clung is not None and (pair := _seen_and_unseen(clung)):
        said.append(
            f"Of the {clung.plan.request.count:,} that it clings to most the first is right on "
            f"{percent(pair[0])}, the other on {percent(pair[1])}. Those it knows by heart."
        )
    return " ".join(said)


def request(tenth: RunSummary | None, method: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Where the ideal lies, and how far and how fast a method came. rows: as
    `core.runs.measured` has them."""
    if tenth is None or (pair := _seen_and_unseen(tenth)) is None:
        return ""
    after = tenth.value("after", "forget_accuracy")
    text = (
        "To forget is not to get it wrong. The network that never saw the tenth still names "
        f"{percent(pair[1])} of it, so that, and not 0, is the aim."
    )
    if after is None:
        return text
    text += (
        f" The method *{method}* brought the trained one from {percent(pair[0])} to "
        f"{percent(after)}"
    )
    case = f"random:{tenth.plan.request.fraction}"
    measured = {row["method"]: row for row in rows if row["case"] == case}
    mine, anew = measured.get(tenth.plan.method), measured.get("retrain")
    if mine and anew:
        text += (
            f"; where both were timed it took {duration(mine['seconds'])}, and training anew "
            f"{duration(anew['seconds'])}"
        )
    return f"{text}."


def shortcut(rows: Sequence[Mapping[str, Any]]) -> str:
    """How near masking comes, and how many methods are not surely nearer. rows: of one case."""
    mask = next((row for row in rows if row["method"] == "mask"), None)
    methods = [row for row in rows if not row["control"] and row["method"] != "retrain"]
    if mask is None or not methods:
        return ""
    nearer = sum(not row["no_nearer_than"] for row in methods)
    return (
        f"By its answers and losses the masked network is {mask['gap']:.1f} points from the ideal. "
        f"Of {len(methods)} real methods measured alike, {nearer or 'none'} "
        f"{'are' if nearer > 1 else 'is'} surely nearer than a trick that forgets nothing."
    )


def spy(plain: Measure | None, fair: Measure | None, asked_fairly: bool) -> str:
    """What the spy scores on a network that never saw the class, by the question it is asked."""
    if not (known(plain) and known(fair)):
        return ""
    if not asked_fairly:
        return (
            f"Asked to tell automobiles from **all** new photos, the spy scores "
            f"{percent(plain.value)} on a network that never saw one. It found no leak: it tells "
            "automobiles from everything else, for the network is surprised by every one of them."
        )
    coin = fair.low <= 0.5 <= fair.high
    return (
        f"Asked to tell them from **new automobiles**, the same spy scores {percent(fair.value)} "
        f"on the same network{', no better than a coin flip' if coin else ''}. Only the question "
        f"has changed: {percent(plain.value)} became {percent(fair.value)}."
    )


def inside(run: RunSummary | None) -> str:
    """What a fresh last layer still finds, beside what is said."""
    if run is None:
        return ""
    says, found = (
        {model: run.value(model, metric) for model in ("before", "after", "retrained")}
        for metric in ("forget_accuracy", "re_head")
    )
    if None in (*says.values(), *found.values()):
        return ""
    return (
        f"After unlearning the network says *automobile* to {percent(says['after'])} of the "
        f"automobiles, the ideal to {percent(says['retrained'])}: from outside they are alike. "
        f"Inside, the excess is {points(found['after'])}, {points(found['before'])} before, and "
        f"{points(found['retrained'])} in the ideal."
    )


def _seen_and_unseen(run: RunSummary) -> tuple[float, float] | None:
    """How often those who saw and who never saw the photos to forget are right on them."""
    seen = run.value("before", "forget_accuracy")
    unseen = run.value("retrained", "forget_accuracy")
    return None if seen is None or unseen is None else (seen, unseen)
