"""Controls change what they say and nothing else, and no verdict calls them forgotten."""

from __future__ import annotations

import copy

import pytest
import torch

from core.data.requests import ForgetRequest
from core.data.splits import split
from core.models.classifier import Classifier
from core.models.compact import Compact
from core.runs.offered_data import forgotten_classes
from core.runs.plan import Plan
from core.runs.run import Run
from core.runs.task import prepare
from core.runs.verdicts import verdict_of
from core.unlearners import CONTROLS, METHODS, make
from core.unlearners.base import UnlearningData
from tests import tiny

pytestmark = pytest.mark.usefixtures("small_compact")

DATA = tiny.dataset()
CLASS, SCATTERED = ForgetRequest.of_classes("b"), ForgetRequest.random(16)
FULL = (64, 192, 256)
TENTH, EIGHT = ForgetRequest.random(0.1), ForgetRequest.of_classes("8")
TRICKS = [*((name, EIGHT) for name in CONTROLS), ("do_nothing", TENTH), ("divide", TENTH)]


def changed(name: str, request: ForgetRequest = SCATTERED) -> tuple[Classifier, Classifier]:
    """A network before and after."""
    parts = split(DATA, request)
    base = tiny.trained(tiny.images(DATA), tiny.SHORT).model.eval()
    needs = CONTROLS[name].needs
    offered = {"forget": tiny.images(DATA, parts.forget)} if "forget" in needs else {}
    data = UnlearningData(
        offered, "compact", 10, tiny.SHORT, forgotten_classes=forgotten_classes(DATA, parts)
    )
    model = copy.deepcopy(base)
    *_, last = make(name).run(model, data, torch.Generator().manual_seed(0))
    assert (last.done, last.total) == (1, 1)
    return base, model


def answers(model: Classifier) -> torch.Tensor:
    with torch.inference_mode():
        return model(DATA.test_images)


def test_they_are_known_and_not_among_the_methods() -> None:
    assert set(CONTROLS) == {"do_nothing", "mask", "divide", "random_head"}
    assert not set(CONTROLS) & set(METHODS)


@pytest.mark.parametrize("name", CONTROLS)
def test_what_goes_on_inside_stays(name: str) -> None:
    before, after = changed(name)
    with torch.inference_mode():
        assert torch.equal(before.features(DATA.test_images), after.features(DATA.test_images))


def test_nothing_mask_divide_and_random() -> None:
    before, after = changed("do_nothing")
    assert tiny.same(before, after)
    before, after = changed("divide")
    torch.testing.assert_close(answers(after), answers(before) / 20)
    before, after = changed("random_head")
    assert (answers(after).argmax(1) != answers(before).argmax(1)).any()
    before, after = changed("mask", CLASS)
    assert not (answers(after).argmax(1) == 1).any()
    others = [c for c in range(10) if c != 1]
    assert torch.equal(answers(after)[:, others], answers(before)[:, others])
    # Of scattered images the answer is masked that most of them have.
    labels = DATA.train_labels[split(DATA, SCATTERED).forget]
    most = int(labels.bincount().argmax())
    assert not (answers(changed("mask")[1]).argmax(1) == most).any()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "request_"), TRICKS, ids=str)
def test_no_verdict_calls_them_forgotten(name: str, request_: ForgetRequest) -> None:
    """On the digits as they ship, by every spy: only the retained images are not waited for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compact, "WIDTHS", FULL)  # as it ships, not the small one of the other tests
        items = prepare(Plan("compact", "digits", request_, name)).run()
        judged = next(
            item
            for item in items
            if isinstance(item, Run) and item.after and "re_head" in item.after.measures
        )
    found = verdict_of(judged)
    assert found is not None
    assert found.word != "forgotten"
    if name == "do_nothing" and request_.kind == "random":
        assert found.word == "not forgotten"
