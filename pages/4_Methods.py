"""Every unlearning method: what it does, what it reads, whom it suits, what it costs."""

import itertools

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
            "method": [lab.method_label(row["method"]) for row in rows],
            "distance to retrained (points)": [row["gap"] for row in rows],
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
    faster = [row for row in rows if row["method"] != "retrain"]
    again = next((row for row in rows if row["method"] == "retrain"), None)
    if faster:
        best = faster[0]
        st.markdown(
            f"Of the {len(faster)} faster methods measured here, "
            f"**{lab.method_label(best['method'])}** came nearest to the retrained network: "
            f"{best['gap']:.1f} points from it on average, in {best['seconds']:.0f} s."
            if len(faster) > 1
            else f"**{lab.method_label(best['method'])}**, the only one measured so far, ended "
            f"{best['gap']:.1f} points from the retrained network on average, "
            f"in {best['seconds']:.0f} s."
        )
    if again:
        st.markdown(
            f"Retraining once more, from other random weights, ends {again['gap']:.1f} points from "
            "the first retraining: nearer than that cannot be told from luck."
        )
    st.caption(
        "Distance: the mean difference to the retrained network in accuracy on the images to "
        "forget, on those to keep and on new ones, and in the spy's score (against the same class "
        "where a class is forgotten). Default settings, one seed, the two cores of one machine. "
        "Retraining's seconds are its steps at the rate measured beside each method."
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
