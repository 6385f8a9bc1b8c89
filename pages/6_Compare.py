"""Two or more runs on one forget set beside each other: which is nearest to the ideal?"""

import streamlit as st

from ui.screens.compare.chosen import entrants_or_leave
from ui.screens.compare.foot import leave
from ui.screens.compare.overlay import losses_of_two
from ui.screens.compare.race import race
from ui.screens.compare.runs_table import ticked_or_leave
from ui.screens.compare.side_by_side import strips, take_along, verdicts_of
from ui.state import address
from ui.widgets import frame, recovery, runs_at_hand
from ui.wording import terms

frame.setup_page("Compare")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title("Compare finished runs")

chosen = ticked_or_leave()
address.write(runs=",".join(chosen))
entrants = entrants_or_leave(chosen)
strips(entrants)
verdicts_of(entrants)
race(entrants)
if len(entrants) == 2:
    first, second = entrants
    losses_of_two(first.runs[0], second.runs[0], (first.name, second.name))
st.caption(terms.LIMITS)
take_along([run for entrant in entrants for run in entrant.runs])
leave()
