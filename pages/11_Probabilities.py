"""When can forgetting be exact? Probabilistic models on digits: counts, a hidden variable, and a
last layer made of counts."""

import streamlit as st

from ui.screens.probabilities import choice, counts, head, hidden, home
from ui.state import address
from ui.widgets import frame, recovery, runs_at_hand

frame.setup_page("Probabilities")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title("When can forgetting be exact?")
choice.introduction()
home.from_link()

left, right = st.columns([4, 5])
with left:
    choice.switch()
with right:
    model = choice.model()
address.write(**home.view())
request = choice.request_or_stop()
done = choice.forgotten_or_stop(model, request)
counts.take_away(done)
counts.pixels(done)
counts.trees(done)
home.take_home(done, request)
hidden.beside(request)
head.in_a_network(request)
