"""What the screens share: wording and charts (no Streamlit), links, state, widgets, and `lab`, the
one door to `core`."""
