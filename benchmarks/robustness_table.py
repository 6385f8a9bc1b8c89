"""What the lines of `benchmarks.robustness` say, in sentences and tables.

"Surely" is said where a 95 % interval does not hold 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.log import Line
from core.unlearners import CONTROLS, METHODS

Measured = Mapping[str, Any] | None
"""A measure as `Measure.to_dict` gives it."""


def sentences(lines: Sequence[Line]) -> str:
    """A section a question, in the order of the report."""
    found = [
        "# Robustness\n",
        "`python -m benchmarks.robustness`; compact, default settings, one seed. Accuracies in "
        "percent and gaps in points, with 95 % intervals over images; *before* is the network "
        "that learned everything, *retrained* the one that never saw what is to be forgotten. "
        '"Surely": the interval of the difference, image by image, does not hold 0.\n',
    ]
    for (measure, dataset), of in _grouped(lines, "measure", "dataset").items():
        found += [f"## {TITLES[measure]} ({dataset})\n"]
        for (case,), some in _grouped(of, "case").items():
            found += [*SECTIONS[measure](case, some), ""]
    return re.sub("\n{3,}", "\n\n", "\n".join(found)).rstrip() + "\n"


def _grouped(lines: Sequence[Line], *names: str) -> dict[tuple[str, ...], list[Line]]:
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in sorted(lines, key=lambda line: list(TITLES).index(line["measure"])):
        groups.setdefault(tuple(line[name] for name in names), []).append(line)
    return groups


# Rows of accuracies


def _corruptions(case: str, lines: Sequence[Line]) -> Iterator[str]:
    about = "under noise, blur, less contrast, more brightness, pixelation and JPEG, the mean of "
    about += f"five strengths of each, on {lines[0]['images']} test images of classes to keep"
    yield from _accuracy(case, about, lines, lambda line: line["mean"])


def _adversarial(case: str, lines: Sequence[Line]) -> Iterator[str]:
    levels = 255 * lines[0]["eps"]
    for attack, name in (("fgsm", "FGSM"), ("pgd", "PGD-20")):
        about = f"under {name}, each pixel moved by at most {levels:.0f} of 255, on "
        about += f"{lines[0]['images']} test images of classes to keep"
        yield from _accuracy(case, about, lines, lambda line, attack=attack: line[attack])


def _accuracy(
    case: str, about: str, lines: Sequence[Line], row: Callable[[Line], Mapping[str, Any]]
) -> Iterator[str]:
    first = row(lines[0])
    yield (
        f"Forgetting {case}, {about}: before {share(first['before'])} are right, retrained "
        f"{share(first['retrained'])}. {apart(lines, row, 'worse', 'better')}\n"
    )
    yield from _table(lines, {"right": lambda line: share(row(line)["after"])}, row)


def _relearning(case: str, lines: Sequence[Line]) -> Iterator[str]:
    for name, shown in (
        ("retained", "images to keep alone"),
        ("few", "images to keep and ten forgotten ones in each batch"),
    ):
        steps = lines[0]["lesson"]["steps"]

        def row(line: Line, name: str = name) -> Mapping[str, Any]:
            found: Mapping[str, Any] = line[name]
            return found

        yield (
            f"Forgetting {case}, then {steps} steps of training on {shown}: the retrained network "
            f"labels {share(row(lines[0])['retrained'])} of the other images that it never saw "
            f"rightly along the way. {apart(lines, row, 'less comes back', 'more comes back')}\n"
        )
        yield from _table(
            lines, {"right along the way": lambda line: share(row(line)["after"])}, row
        )


def apart(
    lines: Sequence[Line], row: Callable[[Line], Mapping[str, Any]], below: str, above: str
) -> str:
    """Which methods surely lie below and above the retrained network."""
    known = [line for line in lines if row(line)["difference"] is not None]
    if not known:
        return "There is no retrained network to compare with."
    lower = [_name(line) for line in known if row(line)["difference"]["high"] < 0]
    higher = [_name(line) for line in known if row(line)["difference"]["low"] > 0]
    said = [
        f"Surely {word} than retrained: {', '.join(names)}."
        for word, names in ((below, lower), (above, higher))
        if names
    ]
    rest = len(known) - len(lower) - len(higher)
    if rest:
        said.append(f"{rest} of {len(known)} cannot be told from it.")
    return " ".join(said)


# Deletions, bad data, forget sets


def _sequence(case: str, lines: Sequence[Line]) -> Iterator[str]:
    known = [line for line in lines if line["gap"]["between"]]
    far = [_name(line) for line in known if line["gap"]["between"]["low"] > 0]
    yield (
        f"{case} is deleted in {lines[0]['deletions']} pieces, one after another, and at once. Of "
        f"{len(known)} methods the order surely matters to {len(far)}"
        f"{': ' if far else ''}{', '.join(far)}.\n"
    )
    columns = {
        "gap to the ideal, in turn": lambda line: points(line["gap"]["in_turn"]),
        "at once": lambda line: points(line["gap"]["at_once"]),
        "between the two": lambda line: points(line["gap"]["between"]),
    }
    yield from _table(lines, columns)


def _bad_data(case: str, lines: Sequence[Line]) -> Iterator[str]:
    accuracy = lines[0]["test_accuracy"]
    yield (
        f"Trained with {lines[0]['forgotten']:,} images that are wrong on purpose, a network "
        f"labels {share(accuracy['before'])} of test images rightly; trained without them, "
        f"{share(accuracy['retrained'])}."
    )
    half = [_name(line) for line in lines if line["regained"] and line["regained"]["value"] >= 0.5]
    if any(line["regained"] for line in lines):
        yield f"At least half of the lost accuracy comes back by: {', '.join(half) or 'none'}."
    elif accuracy["retrained"] is None:
        yield "There is no network trained without them, so that nobody knows what was lost."
    else:
        yield "It is not sure that any accuracy was lost."
    columns = {
        "right": lambda line: share(line["test_accuracy"]["after"]),
        "of the loss regained": lambda line: share(line["regained"]),
    }
    if "backdoor_success" in lines[0]:
        opened = lines[0]["backdoor_success"]
        dead = [_name(line) for line in lines if line["backdoor_success"]["after"]["value"] < 0.1]
        yield (
            f"The backdoor opens for {share(opened['before'])} of the images with the patch, and "
            f"for {share(opened['retrained'])} in a network that never met it. Below 10 %: "
            f"{', '.join(dead) or 'none'}."
        )
        columns["backdoor opens"] = lambda line: share(line["backdoor_success"]["after"])
    yield ""
    yield from _table(lines, columns | {"seconds": lambda line: f"{line['seconds']:.0f}"})


def _forget_sets(case: str, lines: Sequence[Line]) -> Iterator[str]:
    words = [f"{_name(line)} {line['verdict']['word']}" for line in lines if line["verdict"]]
    fell = [
        f"{_name(line)} ({points(deepest['drop'])}, {100 * deepest['recovered']:.0f} % of it back)"
        for line in lines
        if line["classes"] and (deepest := line["classes"][0])["recovered"] is not None
    ]
    about = f"Forgetting {HARD.get(case, case)} ({lines[0]['forgotten']:,} images)"
    yield f"{about}: {'; '.join(words) or 'there is no ideal to judge by'}."
    if fell:
        yield f"On the way a class to keep surely fell, in points: {', '.join(fell)}."
    yield ""
    yield from _table(lines, {"gap": lambda line: _logged_gap(line)})


def _logged_gap(line: Line) -> str:
    if line["gap"] is None:
        return "-"
    low, high = line["interval"]
    return f"{line['gap']:.1f} ({low:.1f} to {high:.1f})"


# Cells


def _table(
    lines: Sequence[Line],
    columns: Mapping[str, Callable[[Line], str]],
    row: Callable[[Line], Mapping[str, Any]] | None = None,
) -> Iterator[str]:
    """A row a method. row: adds the difference to the retrained network."""
    named = dict(columns)
    if row:
        named["after - retrained"] = lambda line: points(row(line)["difference"])
    yield f"| method | {' | '.join(named)} |"
    yield f"| --- |{' --- |' * len(named)}"
    for line in lines:
        yield f"| {_name(line)} | {' | '.join(cell(line) for cell in named.values())} |"
    yield ""


def _name(line: Line) -> str:
    method = line["method"]
    label = {**CONTROLS, **METHODS}[method].label
    return f"*{label}*" if method in CONTROLS else label


def share(measure: Measured) -> str:
    """ "64.4 % (60.1 to 68.5)"."""
    return f"{100 * measure['value']:.1f} % {_interval(measure)}" if _known(measure) else "-"


def points(measure: Measured) -> str:
    """ "1.1 (-1.4 to 3.7)"."""
    return f"{100 * measure['value']:.1f} {_interval(measure)}" if _known(measure) else "-"


def _known(measure: Measured) -> bool:
    return bool(measure) and measure["value"] is not None


def _interval(measure: Mapping[str, Any]) -> str:
    return f"({100 * measure['low']:.1f} to {100 * measure['high']:.1f})"


TITLES = {
    "forget-sets": "Forget sets that are hard to forget, and what is lost on the way",
    "corruptions": "Does a network that forgot withstand other light, lenses and formats?",
    "adversarial": "Does it withstand adversarial examples?",
    "relearning": "Does what was forgotten come back?",
    "bad-data": "Does the removal of bad data undo the harm?",
    "sequence": "Do deletions in turn add up?",
}
HARD = {
    "most-memorised": "the most memorised images",
    "least-memorised": "the least memorised images",
    "neighbours": "pairs of mutual nearest neighbours",
    "twins": "one of each pair of mutual nearest neighbours",
    "worst": "the images of which each method left most when it forgot them among others",
}
SECTIONS: dict[str, Callable[[str, Sequence[Line]], Iterator[str]]] = {
    "forget-sets": _forget_sets,
    "corruptions": _corruptions,
    "adversarial": _adversarial,
    "relearning": _relearning,
    "bad-data": _bad_data,
    "sequence": _sequence,
}
