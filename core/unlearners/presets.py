"""The tuned settings: for which model, data and kind of request, and the trial that chose them.

All that was tuned is `compact`; where a row is missing, and for the fields that a row does not
name, the defaults of the method's fields hold. No test image was looked at for any of them: trials
are lines of `benchmarks/results/tuning.jsonl`, on the tuning base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CASES = {
    "random": ("compact", "cifar10", "random"),
    "class": ("compact", "cifar10", "class"),
    "digits": ("compact", "digits", "any"),
}
"""What each case that `make` knows stands for: architecture, data set, kind of request."""
RANDOM, CLASS, DIGITS = CASES.values()

BY_HAND = "by hand, no trial on record"


def trial(line: int) -> str:
    """The trial of exactly these settings."""
    return f"tuning.jsonl:{line}"


def near(line: int) -> str:
    """Set by hand after this trial, which differs in one or two of them."""
    return f"by hand, near tuning.jsonl:{line}"


@dataclass(frozen=True)
class Preset:
    """A row of the table. settings: empty where the defaults are what the trial chose."""

    method: str
    architecture: str
    dataset: str
    kind: str
    settings: Mapping[str, float]
    trial: str


PRESETS = (
    Preset("amnesiac", *RANDOM, {}, near(40)),
    Preset("amnesiac", *CLASS, {"learning_rate": 0.0004}, trial(143)),
    Preset(
        "amnesiac", *DIGITS, {"epochs": 10.0, "learning_rate": 0.0005, "batch_size": 32}, BY_HAND
    ),
    Preset("amun", *RANDOM, {}, near(36)),
    Preset("amun", *CLASS, {"epochs": 0.9, "learning_rate": 0.002}, near(139)),
    Preset("amun", *DIGITS, {"batch_size": 32}, BY_HAND),
    Preset("anchored_fine_tune", *RANDOM, {}, trial(150)),
    Preset(
        "anchored_fine_tune",
        *CLASS,
        {"epochs": 1.0, "learning_rate": 0.15, "batch_size": 128},
        BY_HAND,
    ),
    Preset(
        "anchored_fine_tune",
        *DIGITS,
        {"epochs": 8.0, "learning_rate": 0.2, "batch_size": 32},
        BY_HAND,
    ),
    Preset("bad_teacher", *RANDOM, {}, trial(39)),
    Preset("bad_teacher", *CLASS, {"learning_rate": 0.0002}, trial(138)),
    Preset("boundary_expand", *CLASS, {}, trial(117)),
    Preset(
        "boundary_expand",
        *DIGITS,
        {"epochs": 2.0, "learning_rate": 0.001, "batch_size": 32},
        BY_HAND,
    ),
    Preset("boundary_shrink", *CLASS, {}, trial(64)),
    Preset(
        "boundary_shrink",
        *DIGITS,
        {"epochs": 1.0, "learning_rate": 0.001, "batch_size": 32},
        BY_HAND,
    ),
    Preset("cf_k", *RANDOM, {}, trial(92)),
    Preset("cf_k", *DIGITS, {"epochs": 8.0, "learning_rate": 0.2, "batch_size": 32}, BY_HAND),
    Preset("cfw", *RANDOM, {}, near(43)),
    Preset("cfw", *CLASS, {"learning_rate": 0.15, "batch_size": 128}, trial(107)),
    Preset("cfw", *DIGITS, {"epochs": 8.0, "learning_rate": 0.2, "batch_size": 32}, BY_HAND),
    Preset("ct", *RANDOM, {}, near(44)),
    Preset("ct", *CLASS, {"learning_rate": 0.15, "batch_size": 128}, trial(108)),
    Preset("ct", *DIGITS, {"epochs": 8.0, "learning_rate": 0.2, "batch_size": 32}, BY_HAND),
    Preset("delete", *CLASS, {}, near(63)),
    Preset("delete", *DIGITS, {"epochs": 3.0, "learning_rate": 0.001, "batch_size": 32}, BY_HAND),
    Preset("descent_to_delete", *RANDOM, {"iterations": 200, "l2": 10000.0}, trial(82)),
    Preset("descent_to_delete", *CLASS, {}, trial(58)),
    Preset("descent_to_delete", *DIGITS, {"l2": 60.0}, BY_HAND),
    Preset("eu_k", *RANDOM, {}, trial(69)),
    Preset("eu_k", *CLASS, {}, trial(105)),
    Preset("eu_k", *DIGITS, {"epochs": 8.0, "learning_rate": 0.2, "batch_size": 32}, BY_HAND),
    Preset("faded_teacher", *RANDOM, {}, trial(125)),
    Preset("faded_teacher", *DIGITS, {"fading": 4.0, "epochs": 6.0, "batch_size": 32}, BY_HAND),
    Preset("fcs", *RANDOM, {}, trial(78)),
    Preset("fcs", *CLASS, {}, trial(110)),
    Preset("fcs", *DIGITS, {"rehearsal": 1.0, "batch_size": 32}, BY_HAND),
    Preset("fine_tune", *RANDOM, {}, trial(149)),
    Preset("fine_tune", *CLASS, {"epochs": 1.0, "learning_rate": 0.15, "batch_size": 128}, BY_HAND),
    Preset("fine_tune", *DIGITS, {"epochs": 8.0, "learning_rate": 0.2, "batch_size": 32}, BY_HAND),
    Preset("fisher", *RANDOM, {}, trial(45)),
    Preset("fisher", *CLASS, {}, trial(101)),
    Preset("influence_cg", *RANDOM, {"scale": 2.0}, trial(122)),
    Preset("influence_cg", *CLASS, {"damping": 0.1, "scale": 8.0}, trial(145)),
    Preset("influence_woodfisher", *RANDOM, {"scale": 1.0}, trial(50)),
    Preset("influence_woodfisher", *CLASS, {"damping": 0.5, "scale": 8.0}, trial(144)),
    Preset("l1_sparse", *RANDOM, {}, near(83)),
    Preset("l1_sparse", *CLASS, {"learning_rate": 0.15, "batch_size": 128}, trial(104)),
    Preset("l1_sparse", *DIGITS, {"epochs": 8.0, "learning_rate": 0.2, "batch_size": 32}, BY_HAND),
    Preset("lfssd", *RANDOM, {}, trial(60)),
    Preset("lfssd", *CLASS, {"alpha": 5.0}, trial(119)),
    Preset("msg", *RANDOM, {}, near(76)),
    Preset("msg", *CLASS, {"learning_rate": 0.15, "batch_size": 128}, BY_HAND),
    Preset("msg", *DIGITS, {"epochs": 8.0, "learning_rate": 0.2, "batch_size": 32}, BY_HAND),
    Preset("neg_grad", *RANDOM, {}, near(10)),
    Preset("neg_grad", *CLASS, {"epochs": 2.0, "learning_rate": 0.00014}, near(23)),
    Preset("neg_grad", *DIGITS, {"epochs": 10.0, "learning_rate": 0.0015}, BY_HAND),
    Preset("neg_grad_plus", *RANDOM, {}, near(128)),
    Preset("neg_grad_plus", *CLASS, {"learning_rate": 0.006, "beta": 0.98}, near(130)),
    Preset(
        "neg_grad_plus", *DIGITS, {"epochs": 40.0, "learning_rate": 0.008, "beta": 0.98}, BY_HAND
    ),
    Preset("newton_head", *RANDOM, {}, trial(53)),
    Preset("newton_head", *CLASS, {"l2": 10.0}, trial(67)),
    Preset("not_negate", *RANDOM, {}, near(42)),
    Preset("not_negate", *CLASS, {"learning_rate": 0.15, "batch_size": 128}, trial(106)),
    Preset("not_negate", *DIGITS, {"epochs": 8.0, "learning_rate": 0.2, "batch_size": 32}, BY_HAND),
    Preset("puma", *RANDOM, {"scale": 10.0}, trial(81)),
    Preset("puma", *CLASS, {"l2": 30.0, "scale": 10.0}, trial(70)),
    Preset("random_labels", *RANDOM, {}, trial(37)),
    Preset("random_labels", *CLASS, {"learning_rate": 0.003}, trial(118)),
    Preset("random_labels", *DIGITS, {"epochs": 3, "rehearsal": 1.0, "batch_size": 32}, BY_HAND),
    Preset("salun", *RANDOM, {}, trial(38)),
    Preset("salun", *CLASS, {"learning_rate": 0.003}, trial(120)),
    Preset("salun", *DIGITS, {"epochs": 3, "rehearsal": 1.0, "batch_size": 32}, BY_HAND),
    Preset("scrub", *RANDOM, {}, near(35)),
    Preset("scrub", *CLASS, {"retain_share": 0.1, "forget_rate": 0.001}, trial(113)),
    Preset("scrub_r", *RANDOM, {}, near(85)),
    Preset("scrub_r", *CLASS, {"retain_share": 0.1, "forget_rate": 0.001}, BY_HAND),
    Preset("sfron", *RANDOM, {}, trial(73)),
    Preset("sfron", *CLASS, {}, trial(97)),
    Preset("sfron", *DIGITS, {"steps": 200, "batch_size": 32}, BY_HAND),
    Preset("ssd", *RANDOM, {}, trial(59)),
    Preset("ssd", *CLASS, {"alpha": 3.0}, trial(72)),
    Preset("unsir", *CLASS, {}, trial(61)),
    Preset("unsir", *DIGITS, {"share": 1.0, "batch_size": 32}, BY_HAND),
)


def presets_for(method: str, case: str) -> dict[str, float]:
    """The tuned values for a case where they differ from the defaults, by field. Raises KeyError
    for an unknown case."""
    architecture, dataset, kind = CASES[case]
    return next(
        (
            dict(row.settings)
            for row in PRESETS
            if (row.method, row.architecture, row.dataset, row.kind)
            == (method, architecture, dataset, kind)
        ),
        {},
    )
