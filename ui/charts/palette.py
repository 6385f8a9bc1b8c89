"""What all charts share: the colours, each meaning one thing everywhere, and a height."""

FORGET, TEST, RETAIN, NEUTRAL = "#D55E00", "#0072B2", "#009E73", "#767676"
INK = "currentColor"
"""The colour of the text around a chart, in whatever theme; black in a picture."""
DARK = {FORGET: "#E69F00", TEST: "#56B4E9", INK: "#E6EDF3"}
"""What these colours are on a dark ground; the ink as well, since a canvas, which the browser gets
where there are many points, knows no current colour."""
HEIGHT = 280
