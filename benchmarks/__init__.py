"""Speed, memory and science; each result names the command that made it."""

from pathlib import Path

RESULTS = Path(__file__).parent / "results"
RANDOM, CLASS, MEMORISED = "random:0.1", "class:automobile", "memorised:500"
"""The forget requests that most results are about, as the shell takes them."""
