"""What all charts share: the colours, each meaning one thing everywhere, and a height."""

FORGET, TEST, RETAIN, NEUTRAL = "#D55E00", "#0072B2", "#009E73", "#767676"
HEIGHT = 320
