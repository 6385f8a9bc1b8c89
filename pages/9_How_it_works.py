"""Five panels that explain forgetting, with their definitions, and a glossary.

It imports neither torch nor scikit-learn: whatever it shows was measured before, and ships.
"""

import streamlit as st

from ui.screens.how import panels
from ui.screens.how.glossary import glossary
from ui.widgets import frame, recovery, runs_at_hand

frame.setup_page("How it works")
notices = st.container()
st.title("How it works")
st.markdown(
    "**Silence is not forgetting: compare with never having learned it.** Five steps lead there; "
    "every number in them was measured in a run that comes with this app."
)
panels.memorise()
panels.request()
panels.shortcut()
panels.spy()
panels.inside()
glossary()

# The store comes last: opening the database takes longer than all of the above.
with notices:
    recovery.service_or_stop()
    runs_at_hand.keep_watch()
