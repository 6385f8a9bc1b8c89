"""Sentences computed from numbers, links there and back, settings' scales, and the exports."""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from core.checkpoints.spread import FoldError
from core.data.requests import ForgetRequest
from core.errors import BadRequest
from core.metrics.measures import Measure
from core.runs.photos import Photo
from core.runs.run import Run
from tests.app import fakes
from ui import links, report
from ui.links import Draft
from ui.widgets.setting import log_scale
from ui.wording import aim, attack, numbers, of_photos, terms, traps, verdicts

REQUESTS = (
    ForgetRequest.random(0.1),
    ForgetRequest.random(1.0, 4),
    ForgetRequest.random(500, 4),
    ForgetRequest.of_classes("cat", "dog"),
    ForgetRequest.of_classes("cat", fraction=0.5, seed=3),
    ForgetRequest.of_classes("odd, name"),
    ForgetRequest.most_memorised(500),
    ForgetRequest.of_indices([3, 1, 2]),
)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: r.to_json()[:40])
def test_a_draft_survives_its_link(request_: ForgetRequest) -> None:
    draft = Draft("digits", request_, "neg_grad", {"epochs": 0.5, "passes": 3}, 9)
    found, problems = links.from_params(links.to_params(draft), Draft())
    assert (found, problems) == (draft, [])


def test_long_choices_are_stored_and_found_again() -> None:
    kept = {}
    request = ForgetRequest.of_indices(range(2000))
    text = links.forget_text(request, lambda r: kept.setdefault("0" * 16, r) and "0" * 16)
    assert text == "stored:" + "0" * 16
    assert links.forget_request(text, find=kept.__getitem__) == request


def test_a_link_never_opens_a_file(tmp_path) -> None:
    file = tmp_path / "list"
    file.write_text("1\n2\n")
    for text in (f"indices:{file}", f"stored:{file}", "stored:../../etc/passwd"):
        with pytest.raises(BadRequest):
            links.forget_request(text, find=lambda id: ForgetRequest.random(1))


@pytest.mark.parametrize("text", ["", "{", "{}", "random", "random:x", "class:", "indices:1,x"])
def test_unreadable_requests_become_a_sentence(text: str) -> None:
    draft, problems = links.from_params({"forget": text}, Draft())
    assert draft.request is None
    assert len(problems) == 1


def test_the_aim_in_words() -> None:
    known = {
        "forget_accuracy": Measure(0.882, 0.87, 0.89, 5000),
        "retained_test_accuracy": Measure(0.879, 0.87, 0.89, 9000),
        "margin_auc": Measure(0.503, 0.49, 0.51, 5000),
    }
    text = aim.aim("retrained", known)
    for part in ("retrained without exactly these images labels 88.2 %", "87.9 %", "50.3 %"):
        assert part in text
    few = aim.aim("folds", known | {"margin_auc": None})
    assert "Ten networks" in few
    assert " label 88.2 % of them" in few
    assert "spy" not in few
    near = FoldError(6, {"forget_accuracy": 0.004, "margin_auc": 0.011, "mia": 0.01})
    assert "For 6 such choices" in aim.off(near)
    assert "at most 0.4 points" in aim.off(near)
    assert "1.1 in how many pairs" in aim.off(near)
    assert not aim.unsure(near)
    far = FoldError(2, {"forget_accuracy": 0.031, "margin_auc": 0.011})
    assert aim.off(far).endswith("retrain without them to be sure.")
    assert aim.off(None) == ""
    assert "21 min" in aim.unknown(1252)
    assert "took" not in aim.unknown(None)


def test_the_words_for_what_is_seen_inside() -> None:
    """A verdict of an answer that was silenced, from numbers alone."""
    done = fakes.run()

    def inside(model: str, value: float) -> Run:
        evaluation = getattr(done, model)
        each = tuple(np.full(1000, part, np.float32) for part in (value, 0.0))
        found = Measure(value, value - 0.01, value + 0.01, 1000, each=each)
        return replace(evaluation, measures={**evaluation.measures, "re_head": found})

    values = {"before": 0.11, "after": 0.1, "retrained": 0.005}
    run = replace(done, **{model: inside(model, value) for model, value in values.items()})
    assert verdicts.headline(done).startswith("Forgotten")
    assert verdicts.headline(run).startswith("Only silenced: ")
    assert (
        "a fresh last layer is right about what was to be forgotten 10.0 points more often than "
        "about new images (11.0 points more before; the retrained network 0.5 points more)."
    ) in said(run)
    lost = replace(done, **{model: inside(model, -0.8) for model in values})
    assert "80.0 points less often than" in said(lost)


def said(run: Run) -> str:
    return f"{verdicts.headline(run)} {verdicts.reasons(run)}"


def test_the_verdict_follows_the_numbers() -> None:
    def told(**after: object) -> str:
        return said(fakes.run(after=after))

    assert told().startswith("Forgotten, as far as these spies can see.")
    assert "-0.4 points against before" in told()
    assert told(forget=0.90).startswith("Partly forgotten: ")
    assert told(forget=0.985).startswith("Not forgotten: it is nearer to the network before")
    assert told(forget=0.80).startswith("Forgotten too much")
    damaged = told(test=0.80)
    assert "And damaged." in damaged
    assert "The damage: it is right on 80.0 % of new images" in damaged
    for number in ("87.5 %", "99.0 %", "87.0 %"):  # after, before, the retrained network
        assert number in told()


def test_memorised_images_on_their_way_up_are_not_called_too_much() -> None:
    """Before .47, after .90, retrained .95: nine tenths of the way."""
    run = replace(
        fakes.run(of=fakes.plan("memorised:500", dataset="cifar10")),
        before=fakes.evaluation(0.95, 0.88, 0.472),
        after=fakes.evaluation(0.10, 0.88, 0.903, direction="forget higher"),
        retrained=fakes.evaluation(0.01, 0.88, 0.949, direction="forget higher"),
    )
    text = said(run)
    assert text.startswith("Partly forgotten: 90 % of the way")
    assert "too much" not in text
    trap = traps.trap(run)
    assert trap is not None
    assert "50 % is not the aim here" in trap
    assert "94.9 %" in trap
    told = attack.direction(run.after["mia"], run.retrained["mia"])
    assert told.endswith("as with the retrained network.")
    assert "too much" not in told


def test_the_verdict_where_something_is_missing() -> None:
    assert "nothing to judge" in said(replace(fakes.run(), after=None))
    assert "the aim is not known" in said(replace(fakes.run(), retrained=None))
    assert said(fakes.run(n=5)).startswith("Photo by photo: none of the 5 photos ever stood")
    same = replace(fakes.run(), before=fakes.evaluation(0.872, 0.87))
    assert "cannot show forgetting" in said(same)


def test_the_takeaway_of_the_histograms_aims_at_the_ideal() -> None:
    """For memorised images the retrained network's shapes lie far apart: overlap is no aim."""
    text = attack.histogram_takeaway(0.43, 0.15, 0.09)
    assert "The aim is the retrained network's 9.0 %" in text
    assert "brought it nearer" in text
    assert "no nearer" in attack.histogram_takeaway(0.43, 0.80, 0.09)
    assert "harder" not in text


def test_no_sentence_claims_a_proof() -> None:
    for run in (fakes.run(), fakes.class_run(), fakes.run(n=5)):
        assert "prove" not in said(run)
    assert "never a proof" in terms.LIMITS
    assert "only silenced" in terms.LIMITS


def test_trap_only_for_classes() -> None:
    assert traps.trap(fakes.run()) is None
    text = traps.trap(fakes.class_run())
    assert text is not None
    for number in ("95.0 %", "96.0 %", "51.0 %"):
        assert number in text


def test_no_trap_where_both_questions_have_the_same_answer() -> None:
    run = fakes.class_run()
    assert traps.trap(replace(run, after=fakes.evaluation(mia=0.68, matched=0.69))) is None


def test_words_for_numbers() -> None:
    assert numbers.value(None, "measuring") == "measuring"
    assert numbers.value(Measure(math.nan, 0.0, 1.0, 0)) == "too few images"
    assert numbers.loss(0.00312) == "0.0031"
    assert numbers.loss(2e-6) == "below 0.0001"
    assert numbers.duration(20) == "20 s"
    assert numbers.duration(None) == "time left not known yet"
    assert numbers.place(1) == "next in line"


def test_log_scale_holds_ends_default_and_zero() -> None:
    assert log_scale(0.01, 50, {1.0, 0.3})[:5] == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert 0.3 in log_scale(0.01, 50, {0.3})
    assert log_scale(0.0, 1e6, {0.1})[:3] == [0.0, 0.1, 1.0]
    assert log_scale(8, 1024, {128}, whole=True) == [
        8,
        10,
        20,
        50,
        100,
        128,
        200,
        500,
        1000,
        1024,
    ]


def test_exports_hold_the_numbers() -> None:
    run = fakes.run()
    metrics = report.metrics_table(run)
    assert set(metrics["model"]) == {"before", "after", "retrained"}
    losses = report.losses_table(run)
    assert len(losses) == 3 * (1000 + 1000 + 500)
    with zipfile.ZipFile(io.BytesIO(report.pictures(run))) as archive:
        begins = {"png": b"\x89PNG", "svg": b"<svg"}
        for name in archive.namelist():
            assert archive.read(name)[:4] == begins[name[-3:]]
        assert len(archive.namelist()) == 6
    page = report.page(run, "http://here/?run=1", {"fine_tune": "Fine-tune <b>"})
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "Fine-tune &lt;b&gt;" in page
    assert "never a proof of deletion" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["still told", "never told"], "Of 2 photos 1 can still be told from new ones and 1 never"),
        (["still told"] * 2 + ["no longer told"], "Of 3 photos 2 can still be told from new ones"),
        (["no longer told"] * 3, "None of the 3 photos can be told from new ones any longer."),
        (["stranger than new"], "It is now stranger to it than a new one"),
        ([], ""),
    ],
)
def test_single_photos_are_counted_by_what_is_said_of_them(words: list[str], said: str) -> None:
    shares = {
        "still told": (0.01, 0.01),
        "no longer told": (0.01, 0.5),
        "never told": (0.5, 0.5),
        "stranger than new": (0.01, 0.99),
    }
    found = [Photo(i, 0.9, 0.5, 0.5, *shares[word]) for i, word in enumerate(words)]
    assert [photo.word for photo in found] == words
    assert of_photos.summary(found).startswith(said)
