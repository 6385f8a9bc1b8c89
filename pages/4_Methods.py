"""Every unlearning method: what it does, what it reads, whom it suits, what it costs."""

import itertools
import statistics

import streamlit as st

from core.errors import LabError
from ui import lab, state, widgets, wording

state.setup_page("Methods")
widgets.service_or_stop()
widgets.keep_watch()
st.title("The methods")
state.write_address()


methods = lab.methods()
try:
    measured = lab.measured_methods()
except LabError as error:
    state.say(error)
    measured = []
st.markdown(
    f"{len(methods)} ways to make a network forget. Each is described by what it reads, because "
    "that decides who can use it: who has thrown the training images away cannot train on them."
)

if measured:
    st.subheader("Measured on CIFAR-10")
    cases = list(dict.fromkeys(row["case"] for row in measured))
    case = st.segmented_control(
        "What was forgotten",
        cases,
        default=cases[0],
        required=True,
        format_func=wording.MEASURED_CASES.get,
        key="methods-case",
    )
    rows = [row for row in measured if row["case"] == case]
    rows.sort(key=lambda row: row["gap"])
    widgets.table(
        {
            "method": [
                f"Control: {row['control']}" if row["control"] else lab.method_label(row["method"])
                for row in rows
            ],
            "distance to retrained (points)": [row["gap"] for row in rows],
            "95 % interval": [f"{row['low']:.2f} to {row['high']:.2f}" for row in rows],
            "reading": wording.readings(rows),
            "spy": [row["spy"] for row in rows],
            "right on images to forget": [row["forget_accuracy"] for row in rows],
            "right on new images": [row["retained_test_accuracy"] for row in rows],
            "seconds": [row["seconds"] for row in rows],
            "share of retraining": [row["share"] for row in rows],
        },
        "The methods, measured",
        percents=(
            "spy",
            "right on images to forget",
            "right on new images",
            "share of retraining",
        ),
        formats={"distance to retrained (points)": "%.2f", "seconds": "%.1f"},
    )
    faster = [row for row in rows if row["method"] != "retrain" and not row["control"]]
    again = next((row for row in rows if row["method"] == "retrain"), None)
    st.markdown(wording.nearest(rows, lab.method_label))
    if again:
        st.markdown(
            f"Retraining once more, from other random weights, ends {again['gap']:.1f} points from "
            f"the first retraining (95 % interval {again['low']:.1f} to {again['high']:.1f}): "
            "nearer than that cannot be told from luck."
        )
    # A method that computes on the stored features has no way to change them.
    heads = [row["method"] for row in faster if "features" in methods[row["method"]]["needs"]]
    st.markdown(wording.blind([lab.method_label(name) for name in heads]))
    if faster:
        shares = [row["share"] for row in faster]
        st.markdown(
            "The methods were held to a small part of retraining's time: half of them took less "
            f"than {wording.percent(statistics.median(shares))}, the longest "
            f"{wording.percent(max(shares))}. How near they come with more was not measured."
        )
    st.caption(
        "Distance: the mean difference to the retrained network in accuracy on the images to "
        "forget, on those to keep and on new ones, and in the spy's score (against the same class "
        "where a class is forgotten). Its interval is from a bootstrap over images; tied: the "
        "interval of the difference from the nearest method holds 0. Controls are tricks that "
        "forget nothing. Default settings, "
        f"{wording.seeds([row['seeds'] for row in faster])} each, two cores. Retraining's seconds "
        "are its steps at the rate measured beside each method, the median of all; a method's are "
        "its share of that, since not all were measured on one machine."
    )

seconds = {(row["case"], row["method"]): row["seconds"] for row in measured}
for group, members in itertools.groupby(methods.values(), key=lambda method: method["group"]):
    title, common = wording.GROUPS[group]
    st.subheader(title)
    st.caption(common)
    for method in members:
        with st.container(border=True, key=f"method-{method['name']}"):
            st.markdown(f"**{method['label']}.** {method['sentence']}")
            cost = [
                f"{wording.duration(seconds[case, method['name']])} for {words}"
                for case, words in wording.MEASURED_CASES.items()
                if (case, method["name"]) in seconds
            ]
            st.caption(
                f"Reads {wording.needs(method['needs'])}; {wording.SUITS[method['suits']]}. "
                + (f"Took {' and '.join(cost)} on CIFAR-10. " if cost else "")
                + f"Source: {method['paper']}."
            )
            if st.button("Use it", key=f"use-{method['name']}"):
                state.change(method=method["name"], settings={})
                st.session_state.run = None
                st.switch_page(widgets.UNLEARN)
