"""Speed, memory and science; each result names the command that made it."""

from pathlib import Path

RESULTS = Path(__file__).parent / "results"
