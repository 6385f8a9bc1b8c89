"""The set-up of a run: the request, the method and its settings, and the button that starts it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.data.requests import MOST_SEED, ForgetRequest
from core.errors import BadRequest, LabError
from core.runs.plan import Plan
from ui import outside
from ui.links import Draft
from ui.screens.unlearn import together
from ui.screens.unlearn.brought import bring
from ui.screens.unlearn.start import start, start_all
from ui.services import estimates, hosting, ideals, images, methods
from ui.state import drafts, values
from ui.state.session import session
from ui.widgets import anchor, take_home
from ui.widgets.data import data_or_stop, data_title, images_missing, use_digits
from ui.widgets.errors import say
from ui.widgets.frame import CHOOSE, METHODS
from ui.widgets.recovery import lost_runs
from ui.widgets.setting import setting
from ui.wording import aim, catalogue, terms
from ui.wording import together as words
from ui.wording.hosting import budget


def set_up() -> None:
    """Everything that is set up before a run; says what is missing where something is."""
    lost_runs()
    now = drafts.draft()
    if now.request is None:
        st.info("Nothing is chosen to be forgotten yet.", icon=":material/checklist:")
        if st.button("Choose what to forget", type="primary", key="to-choose"):
            st.switch_page(CHOOSE)
        return
    _choice(now.request, now.dataset)
    if now.dataset not in terms.DATASETS or not images.available(now.dataset):
        images_missing(now.dataset)
        use_digits()
        return
    if now.dataset == "digits":
        st.caption(terms.DIGITS_NOTE)
    method = _method()
    try:
        shown = drafts.settings()
    except LabError as error:
        if isinstance(error, BadRequest):
            say(error)
            return
        data_or_stop(error)
    _settings(method, shown)
    _start_button(method, now)
    # Below the button, which does not move while the aim is looked up.
    _aim(method, now.dataset, now.request)
    bring(now.dataset, now.request, start)
    take_home.link_box(
        "A link to this set-up", "Who opens it sees these settings. It starts nothing."
    )


def _choice(request: ForgetRequest, dataset: str) -> None:
    """What is to be forgotten, and the way to change it."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**To forget:** {outside.plain(request.describe())}, from "
            f"{outside.plain(data_title(dataset))}"
        )
        if st.button("Change", key="change-choice"):
            st.switch_page(CHOOSE)


def _aim(method: dict[str, Any], dataset: str, request: ForgetRequest) -> None:
    """What has to be reached, as far as it is known; else the way to know it."""
    model = methods.model_for(method)
    try:
        found = ideals.aim(model, dataset, request)
    except LabError:
        return  # said where the settings are read
    seconds = ideals.seconds_of_training(model, dataset)
    if found is not None:
        st.markdown(f"{aim.aim(found.kind, found.measures)} {aim.off(found.error)}")
        if not aim.unsure(found.error):
            return
    if method["name"] == "retrain":
        return
    if hosting.refusal(Plan(model, dataset, request, "retrain")):
        return
    st.markdown(aim.unknown(seconds) if found is None else aim.how_long(seconds))
    if st.button("Retrain without them", key="retrain-first", icon=":material/model_training:"):
        drafts.change(method="retrain", settings={})
        st.rerun()


def _pick_method() -> None:
    """Another method starts with its own settings."""
    drafts.change(method=values.get("unlearn-method"), settings={})


def _method() -> dict[str, Any]:
    """The choice of a method, and what is to know of the one taken; gives its description."""
    known = methods.descriptions()
    name = drafts.draft().method
    if name not in known:
        st.warning(
            outside.plain(f"There is no method {name!r} here, so fine-tuning is set instead.")
        )
        drafts.change(method="fine_tune", settings={})
        name = "fine_tune"
    method = known[name]
    values.put("unlearn-method", name)
    st.selectbox(
        "Method",
        list(known),
        key="unlearn-method",
        on_change=_pick_method,
        format_func=lambda name: f"{known[name]['label']} ({known[name]['group']})",
    )
    st.markdown(method["sentence"])
    st.caption(f"It reads {catalogue.needs(method['needs'])}. Source: {method['paper']}.")
    st.page_link(METHODS, label="All methods, and what they cost", icon=":material/list:")
    if methods.model_for(method) == methods.ENSEMBLE:
        st.caption(
            "It works on a model of its own, an ensemble that was trained in parts; its numbers do "
            "not compare with those of other methods."
        )
    if name == "anchored_fine_tune":
        anchor.finding()
    return method


def _pick_seed() -> None:
    """From the seed widget to the draft."""
    drafts.change(seed=values.get("unlearn-seed"))


def _settings(method: dict[str, Any], shown: dict[str, Any]) -> None:
    """The method's settings, drawn from what it declares, and the seed. shown: their values."""
    now = drafts.draft()
    with st.expander("Settings", expanded=bool(now.settings)):
        st.caption("The defaults were tuned for this kind of choice; nothing has to be changed.")
        for parameter in method["parameters"]:
            setting(parameter, shown[parameter["name"]])
        values.put("unlearn-seed", min(now.seed, MOST_SEED))
        st.number_input(
            "Seed",
            0,
            MOST_SEED,
            key="unlearn-seed",
            on_change=_pick_seed,
            help="The same seed, machine and settings give the same result, bit for bit.",
        )
        if now.settings and st.button("Back to the defaults", key="defaults"):
            drafts.change(settings={})
            st.rerun()


def _start_button(method: dict[str, Any], now: Draft) -> None:
    """Starts the run, where the method suits the request."""
    assert now.request is not None
    fits = method["suits"] != "classes" or images.whole_classes(now.dataset, now.request)
    if not fits:
        st.warning(
            f"{method['label']} forgets whole classes only. Take another method, or choose a whole "
            "class to forget.",
            icon=":material/category:",
        )
    plan = drafts.plan()
    plans = [plan, *together.further(method, now)]
    if refused := hosting.refusal(plan):
        st.warning(outside.plain(refused), icon=":material/timer_off:")
    elif len(plans) > 1:
        together.say_how_long(plans)
    else:
        _budget(plan)
    if st.button(
        words.button(len(plans)),
        type="primary",
        key="start",
        icon=":material/play_arrow:",
        disabled=not fits or bool(refused),
    ):
        start_all(plans)


def _budget(plan: Plan) -> None:
    """How long the run may take, and about how long it will."""
    try:
        estimate = estimates.seconds(plan, session.owner)
    except LabError:
        return  # said where the settings are read
    text, late = budget(hosting.limits().run_seconds, estimate)
    if late:
        st.warning(text, icon=":material/timer:")
    elif text:
        st.caption(text)
