"""What should the network forget? Cases, classes, chance, or images picked by hand."""

import numpy as np
import streamlit as st

from core.data.requests import MOST_SEED, ForgetRequest
from core.errors import LabError
from ui import charts, lab, links, outside, state, widgets, wording
from ui.grid import image_grid, mosaic

WAYS = {
    "cases": "Classic cases",
    "classes": "Whole classes",
    "random": "At random",
    "indices": "Pick images",
}
PAGE = 60
FOLLOW = "The network keeps everything else."

state.setup_page("Choose")
widgets.service_or_stop()
widgets.keep_watch()
st.title("Choose what to forget")


def way_of(request: ForgetRequest | None) -> str:
    """The tab that a request belongs to."""
    if request is None or request.kind == "memorised":
        return "cases"
    return "random" if request.kind == "fold" else request.kind


def pick_data() -> None:
    """Another data set: a choice of one does not carry over."""
    state.choose(st.session_state["choose-data"], None)


def set_classes() -> None:
    """From the class widgets to the draft."""
    names, share = st.session_state["choose-classes"], st.session_state["choose-share"]
    request = None
    if names:
        seed = st.session_state.get("choose-class-seed", 0) if share < 100 else 0
        request = ForgetRequest.of_classes(
            *names, fraction=None if share == 100 else share / 100, seed=seed
        )
    state.choose(state.draft().dataset, request)


def set_random() -> None:
    """From the random widgets to the draft."""
    state.choose(
        state.draft().dataset,
        ForgetRequest.random(
            st.session_state["choose-percent"] / 100, st.session_state["choose-random-seed"]
        ),
    )


def clear() -> None:
    """Nothing is chosen."""
    state.choose(state.draft().dataset, None)


now = state.draft()
have = [name for name in links.DATASETS if lab.available(name)]
if now.dataset not in have:
    widgets.images_missing(now.dataset)
    widgets.use_digits()
    st.stop()

if len(have) > 1:
    st.session_state["choose-data"] = now.dataset
    st.segmented_control(
        "Images",
        have,
        key="choose-data",
        required=True,
        on_change=pick_data,
        format_func=wording.DATASETS.get,
    )
try:
    data = lab.dataset(now.dataset)
    scores = lab.scores(now.dataset)
except LabError as error:
    widgets.data_or_stop(error)
st.caption(outside.plain(data.source))
labels = data.train_labels.numpy()
names = data.class_names

# A request that came from a link or a card shows in its own tab; later the visitor's tab stays.
come = now.request is not None and st.session_state.get("choose-seen") != now.request
if come or "choose-way" not in st.session_state:
    st.session_state["choose-way"] = way_of(now.request)
st.segmented_control(
    "How to choose",
    list(WAYS),
    key="choose-way",
    required=True,
    format_func=WAYS.get,
    persist_state="session",
)
way = st.session_state["choose-way"]
picked: list[int] = list(now.request.indices) if now.request else []

if way == "cases":
    for place, preset in zip(st.columns(3), wording.PRESETS, strict=True):
        with place.container(border=True, height="stretch"):
            st.markdown(f"#### {preset.icon} {preset.title}")
            st.markdown(preset.stories[now.dataset])
            request = links.forget_request(preset.requests[now.dataset])
            st.caption(f"Forgets {outside.plain(request.describe())}.")
            usable = request.kind != "memorised" or scores is not None
            if st.button(
                "Chosen" if request == now.request else "Choose this",
                key=f"case-{preset.key}",
                disabled=not usable or request == now.request,
            ):
                state.choose(now.dataset, request)
                st.session_state["choose-seen"] = request
                st.rerun()
            if not usable:
                st.caption("No memorisation scores are here for this data.")
elif way == "classes":
    whole = now.request if now.request and now.request.kind == "classes" else None
    st.session_state["choose-classes"] = [n for n in whole.classes if n in names] if whole else []
    share = 100 if whole is None or whole.fraction is None else round(100 * whole.fraction)
    st.session_state.setdefault("choose-share", 100)
    if whole is not None:
        st.session_state["choose-share"] = min(100, max(1, share))
    st.pills(
        "Classes to forget",
        names,
        selection_mode="multi",
        key="choose-classes",
        on_change=set_classes,
        format_func=outside.plain,
    )
    st.slider(
        "How much of each",
        1,
        100,
        key="choose-share",
        format="%d %%",
        on_change=set_classes,
        help="Below 100 %, the images are drawn at random from each class.",
    )
    if st.session_state["choose-share"] < 100:
        st.session_state["choose-class-seed"] = whole.seed if whole else 0
        st.number_input(
            "Seed of the draw",
            0,
            MOST_SEED,
            key="choose-class-seed",
            on_change=set_classes,
            help="The same seed draws the same images.",
        )
elif way == "random":
    drawn = now.request if now.request and now.request.kind == "random" else None
    share = 10.0
    if drawn is not None:
        share = 100 * (drawn.fraction or (drawn.count or 0) / len(labels))
    st.session_state["choose-percent"] = min(90.0, max(0.1, round(share, 1)))
    st.session_state["choose-random-seed"] = drawn.seed if drawn else 0
    left, right = st.columns(2)
    left.slider(
        "Share of all training images",
        0.1,
        90.0,
        step=0.1,
        key="choose-percent",
        format="%.1f %%",
        on_change=set_random,
    )
    right.number_input(
        "Seed of the draw",
        0,
        MOST_SEED,
        key="choose-random-seed",
        on_change=set_random,
        help="The same seed draws the same images.",
    )
    if drawn is None and st.button("Draw them", key="draw"):
        set_random()
        st.rerun()
else:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.selectbox(
            "Show", ["all classes", *names], key="pick-class", persist_state="session"
        )
        orders = ["data set order"]
        if scores is not None:
            orders = ["most memorised first", "least memorised first", *orders]
        order = st.selectbox("Order", orders, key="pick-order", persist_state="session")
        members = np.arange(len(labels))
        if shown in names:
            members = np.flatnonzero(labels == names.index(shown))
        if scores is not None and order != "data set order":
            sign = -1 if order == "most memorised first" else 1
            members = members[np.argsort(sign * scores[members], kind="stable")]
        pages = -(-len(members) // PAGE)
        if st.session_state.get("pick-page", 1) > pages:
            st.session_state["pick-page"] = 1
        page = st.number_input(
            f"Page (of {pages:,})", 1, pages, key="pick-page", persist_state="session"
        )
    ids = members[(page - 1) * PAGE : page * PAGE]
    captions = [
        f"{names[labels[i]]}, image {i}"
        + ("" if scores is None else f", memorisation {scores[i]:.2f}")
        + (
            ", label wrong on purpose"
            if data.wrong_labels is not None and data.wrong_labels[i]
            else ""
        )
        for i in ids
    ]
    chosen_here = image_grid(
        data.train_images[ids].numpy(),
        ids,
        captions,
        picked,
        f"Images to pick, {shown}, {order}, page {page}",
        key="pick-grid",
    )
    if chosen_here is not None:
        # What is picked on other pages stays; a choice of another kind is replaced.
        everything = sorted((set(picked) - set(ids.tolist())) | chosen_here)
        if everything != picked:
            request = ForgetRequest.of_indices(everything) if everything else None
            state.choose(now.dataset, request)
            picked = everything
    st.caption(
        "Click an image to pick it or to put it back. With the keyboard: arrow keys move, space "
        "picks. What you pick stays picked on other pages and classes."
    )

st.session_state["choose-seen"] = state.draft().request
now = state.draft()
state.write_address()

st.subheader("Your choice")
if now.request is None:
    st.info(
        "Nothing is chosen yet. Take a classic case, a class, a random share, or click images.",
        icon=":material/touch_app:",
    )
    if st.button("Take a random tenth", key="take-random", type="primary"):
        state.choose(now.dataset, ForgetRequest.random(0.1))
        st.rerun()
    st.stop()
try:
    split = lab.split(now.dataset, now.request)
except LabError as error:
    state.say(error)
    st.button("Clear the choice", key="clear-bad", on_click=clear)
    st.stop()

count, total = len(split.forget), len(labels)
st.markdown(
    f"**{outside.plain(now.request.describe().capitalize())}**: {count:,} of {total:,}, or "
    f"{wording.percent(count / total)}. {FOLLOW}"
)
if count < 10:
    st.caption(
        "Fewer than ten images show what the network answers to each; whether it truly forgot "
        "them, the spy can tell from ten images on."
    )
with st.container(horizontal=True):
    if st.button("Watch it forget", key="go", type="primary", icon=":material/arrow_forward:"):
        st.switch_page(widgets.UNLEARN)
    st.button("Clear the choice", key="clear", on_click=clear)

left, right = st.columns(2)
with left:
    some = split.forget[np.linspace(0, count - 1, min(count, 40)).astype(int)]
    classes = sorted({names[labels[i]] for i in some})
    st.image(
        mosaic(data.train_images[some].numpy(), 2),
        alt=f"{len(some)} of the images to forget, of the classes {', '.join(classes)}",
        caption=f"{len(some)} of the {count:,} images to forget"
        if count > len(some)
        else f"All {count} images to forget",
    )
with right:
    totals = np.bincount(labels, minlength=len(names))
    forget = np.bincount(labels[split.forget], minlength=len(names))
    most = int(forget.argmax())
    text = (
        f"{np.count_nonzero(forget)} of {len(names)} classes lose images; most of all "
        f"{names[most]}: {forget[most]:,} of {totals[most]:,}."
    )
    widgets.draw(charts.class_counts(names, forget, totals, text), "class-bars")
    st.markdown(outside.plain(text))
    with st.expander("The same as a table"):
        widgets.table(
            {"class": list(names), "to forget": forget, "in all": totals},
            "Images to forget by class",
        )
widgets.link_box("A link to this choice", "Who opens it sees this choice. It starts nothing.")
