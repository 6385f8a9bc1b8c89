"""Which training photos taught the network an answer, and is the prediction right?"""

import streamlit as st

from core.errors import LabError
from ui.screens.choose import data_set
from ui.screens.influence import answer, choice, forget, reading, whole
from ui.services import influence
from ui.state import address, drafts
from ui.widgets import errors, frame, recovery, runs_at_hand
from ui.wording.influence import QUESTION

frame.setup_page("Influence")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title(QUESTION)
st.markdown(
    "Pick a photo that the network has never seen. The training photos that helped it with the "
    "answer stand below, and those that misled it. Then forget some of them, and see whether what "
    "was predicted happens."
)
data, scores = data_set.images_or_stop(frame.INFLUENCE)
model = influence.model_of(drafts.draft().model)
try:
    answers = influence.answers(model, data.name)
except LabError as error:
    address.write()
    errors.say(error)
    st.stop()
index = choice.photo(data, answers)
address.write(photo=str(index))

ready = influence.reading(model, data.name).head is not None
found = influence.explained(model, data.name, index) if ready else None
answer.the_photo(data, answers, index, found)
reading.ready_or_stop(model, data.name, len(data.train_labels))
if found is None:  # it was made just now
    st.rerun()
answer.behind(data, answers, index, found, scores)
forget.forget_these(model, data, index, found)
whole.whole_network(model, data, answers, index, found)
forget.limits()
