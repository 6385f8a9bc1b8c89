"""The commands that ask what a model withstands once it has unlearned, and which images are hard to
forget.

What takes a while to import is imported in the functions: the shell's help needs none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from core.data.request_text import parse_request
from core.errors import BadRequest
from core.runs.shell import progress, typed
from core.runs.shell.output import answer, say
from core.runs.shell.targets import check_targets, write_text
from core.runs.shell.typed import Data, Dataset, Forget, ForgetSeed, Json, Model, Seed, Settings

if TYPE_CHECKING:
    from core.runs.robust import Models, Show
    from core.runs.task import Task

Asked = Literal["corruptions", "adversarial", "relearning", "sequence", "bad-data"]
IMAGES, EPS, DELETIONS = 500, 1.0, 5


def robustness(
    measure: Annotated[Asked, Argument(help="what to measure")],
    forget: Forget = "",
    method: Annotated[str, Option(help="unlearn by it; see: python -m core methods")] = "",
    weights: Annotated[
        Path | None,
        Option(parser=typed.file, metavar="FILE", help="or take these, unlearned elsewhere"),
    ] = None,
    run: Annotated[str, Option(metavar="ID", help="or do again what this run did")] = "",
    model: Model = "compact",
    dataset: Dataset = "cifar10",
    data: Data = None,
    forget_seed: ForgetSeed = 0,
    settings: Settings = None,
    seed: Seed = 0,
    images: Annotated[int, Option(min=1, help="corruptions, adversarial: at most")] = IMAGES,
    eps: Annotated[float, Option(min=0, max=255, help="adversarial: levels of 255")] = EPS,
    deletions: Annotated[int, Option(min=1, help="sequence: how many")] = DELETIONS,
    json: Json = "",
) -> None:
    check_targets(json, None)
    if sum(map(bool, (method, weights, run))) != 1:
        raise BadRequest("Nothing says what unlearned.", "Give one of --method, --weights, --run.")
    if bool(run or measure == "bad-data") == bool(forget):
        raise BadRequest(
            "Nothing says what was forgotten, or more than one thing.",
            "Give --forget, or a --run alone; bad-data forgets the images that are bad.",
        )
    if settings and not method:
        raise BadRequest("Only a method has settings.", "Give --method beside --set.")
    if measure == "sequence" and weights:
        raise BadRequest("Weights cannot forget in turn.", "Give a --method.")
    chosen = dict(settings or ())
    task = (
        _task_of(run, data)
        if run
        else _task(forget, forget_seed, method, weights, model, dataset, data, chosen, seed)
    )
    with progress.progress(every=5) as bar:
        show = progress.Batches(bar)
        found = measured(measure, task, show, images=images, eps=eps, deletions=deletions)
    if measure != "sequence" and not found["compared"]:
        say(
            "note: no weights of a network retrained without these images are here to compare with:"
            " python -m core train --without"
        )
    plan, reference = task.plan.to_dict(), task.ideal.name if task.ideal else ""
    report = {"measure": measure, "plan": plan, "reference": reference, **found}
    answer(report, _lines(found), json)


def _task(
    forget: str,
    forget_seed: int,
    method: str,
    weights: Path | None,
    model: str,
    dataset: str,
    data: Path | None,
    settings: Mapping[str, Any],
    seed: int,
) -> Task:
    """Without a forget request, the images that are bad are to be forgotten."""
    from core.data.load import load_dataset
    from core.robustness.poison import bad_images
    from core.runs import brought
    from core.runs.plan import Plan
    from core.runs.task import prepare

    request = parse_request(forget, forget_seed) if forget else None
    images = load_dataset(dataset, data)
    values = {"weights": brought.keep(weights)} if weights else settings
    plan = Plan(model, dataset, request or bad_images(images), method or brought.NAME, values, seed)
    return prepare(plan, dataset=images)


def _task_of(run: str, data: Path | None) -> Task:
    from core.runs.store.store import Store
    from core.runs.task import prepare

    return prepare(Store().load(run).plan, folder=data)


def measured(
    measure: Asked,
    task: Task,
    show: Show,
    *,
    models: Models | None = None,
    images: int = IMAGES,
    eps: float = EPS,
    deletions: int = DELETIONS,
) -> dict[str, Any]:
    """What was asked for, by name; see `core.runs.robust`. models: those of the task, made here
    where they are not given. eps: levels of 255."""
    from core.robustness.relearning import Lesson
    from core.runs import robust
    from core.runs.robust_sequence import in_turn_and_at_once
    from core.unlearners.common.pixels import WHITE

    seed = task.plan.seed
    if measure == "sequence":
        return in_turn_and_at_once(task, deletions, show)
    models = models or robust.models_of(task, show)
    about = {"seconds": models.seconds, "compared": models.retrained is not None}
    if measure == "corruptions":
        return about | robust.under_corruption(task, models, images, seed, show)
    if measure == "adversarial":
        return about | robust.under_attack(task, models, images, eps / WHITE, seed, show)
    if measure == "relearning":
        return about | robust.by_relearning(task, models, Lesson(seed=seed), show)
    return about | robust.without_the_bad(task, models, show)


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The rows as a table in percent, the difference with its interval; a number alone below."""
    columns: list[str] = []
    for name, item in found.items():
        for number, row in enumerate(item if isinstance(item, list) else [item], 1):
            if not isinstance(row, Mapping) or not all(map(_is_measure, row.values())):
                continue
            if list(row) != columns:
                columns = list(row)
                yield f"{'':22}" + "".join(f"{column:>12}" for column in columns)
            cells = "".join(f"{_percent(row[column]):>12}" for column in columns)
            called = f"{name} {number}" if isinstance(item, list) else name
            last = row[columns[-1]]
            between = f"  ({_interval(last)})" if last else ""
            yield f"{called:22}{cells}{between}"
    for name, item in found.items():
        if isinstance(item, Mapping) and "value" in item:
            yield f"{name}: {_percent(item)} ({_interval(item)})"
    if "seconds" in found:
        yield f"{found['seconds']:.1f} s unlearning"


def _is_measure(item: Any) -> bool:
    return item is None or (isinstance(item, Mapping) and "value" in item)


def _interval(measure: Mapping[str, Any]) -> str:
    return " to ".join(_percent({"value": measure[end]}) for end in ("low", "high"))


def _percent(measure: Mapping[str, Any] | None) -> str:
    known = measure is not None and measure["value"] is not None
    return f"{100 * measure['value']:.1f}" if measure and known else "-"


def forget_set(
    kind: Annotated[
        Literal["most-memorised", "least-memorised", "neighbours", "twins", "worst"],
        Argument(help="which images; see README"),
    ],
    count: Annotated[int, Option(min=1, help="how many")],
    write: Annotated[str, Option(parser=typed.file, metavar="FILE", help="one index a line")],
    of: Annotated[str, Option(metavar="CLASS", help="only its images; not for worst")] = "",
    method: Annotated[str, Option(help="worst: of which method")] = "do_nothing",
    model: Model = "compact",
    dataset: Dataset = "cifar10",
    data: Data = None,
    settings: Settings = None,
    seed: Seed = 0,
) -> None:
    from core.data.load import load_dataset
    from core.data.requests import ForgetRequest
    from core.runs.hard_sets import hard_set
    from core.runs.plan import Plan

    check_targets(str(write), None)
    images = load_dataset(dataset, data)
    plan = Plan(model, dataset, ForgetRequest.of_fold(0), method, dict(settings or ()), seed)
    with progress.progress(every=5) as bar:
        request = hard_set(kind, count, plan, images, progress.Batches(bar), of)
    write_text(str(write), "".join(f"{index}\n" for index in request.indices))
    say(f"{request.describe()}: --forget indices:{write}")
