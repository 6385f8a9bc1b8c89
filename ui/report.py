"""What a visitor takes home of a run: CSV files, pictures, and one self-contained HTML page."""

from __future__ import annotations

import html
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from core.metrics.measures import Evaluation
from core.runs.plan import Plan
from core.runs.run import MODELS, Run
from core.runs.shell.command import command_of
from ui.charts.histograms import histogram, top_share
from ui.wording import numbers, terms, titles, traps, verdicts


def metrics_table(run: Run) -> pd.DataFrame:
    """One row a model and metric: value, interval, number of images."""
    found = numbers_table({model: getattr(run, model) for model in MODELS})
    found.insert(0, "run", run.id)
    return found


def numbers_table(measured: Mapping[str, Evaluation | None]) -> pd.DataFrame:
    """The same of models that are no run's, by their names."""
    rows: list[dict[str, Any]] = [
        {"model": model, "metric": name, **(entry or {})}
        for model, evaluation in measured.items()
        if evaluation is not None
        for name, entry in evaluation.metrics().items()
    ]
    columns = ["model", "metric", "value", "low", "high", "n", "direction"]
    return pd.DataFrame(rows, columns=columns)


def glossary(metrics: Iterable[str]) -> str:
    """What each of these metrics says, as a list in Markdown."""
    said = {terms.term(name): terms.sentence(name) for name in metrics}
    return "\n".join(f"- *{term}*: {sentence}" for term, sentence in said.items() if sentence)


def losses_table(run: Run) -> pd.DataFrame:
    """One row an image, model and set: its loss in nats. Sets stand in index order."""
    frames = []
    for model in MODELS:
        evaluation: Evaluation | None = getattr(run, model)
        if evaluation is None:
            continue
        for name in Evaluation.LOSSES:
            losses = getattr(evaluation, name)
            frames.append(
                pd.DataFrame(
                    {
                        "model": model,
                        "set": name.removesuffix("_losses"),
                        "position": range(len(losses)),
                        "loss": losses,
                    }
                )
            )
    columns = ["model", "set", "position", "loss"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def histograms(run: Run) -> dict[str, alt.LayerChart]:
    """The three loss histograms of a run on shared axes, by model name."""
    found = {m: e for m in MODELS if (e := getattr(run, m)) is not None}
    matched = run.plan.request.class_matched
    pairs = {
        model: (e.forget_losses, e.class_matched_losses if matched else e.test_losses)
        for model, e in found.items()
    }
    top = top_share(*(losses for pair in pairs.values() for losses in pair))
    return {
        model: histogram(*pair, top, f"Loss histograms, {terms.SHORT[model]}", matched)
        for model, pair in pairs.items()
    }


def png(chart: alt.TopLevelMixin) -> bytes:
    """A chart as a picture on white, at twice its size."""
    content: bytes = vl_convert.vegalite_to_png(_spec(chart), scale=2)
    return content


def _spec(chart: alt.TopLevelMixin) -> dict[str, Any]:
    spec: dict[str, Any] = chart.to_dict()
    return {**spec, "background": "white", "width": 340}


def svg(chart: alt.TopLevelMixin) -> str:
    """A chart as a drawing on white."""
    content: str = vl_convert.vegalite_to_svg(_spec(chart))
    return content


def pictures(run: Run) -> bytes:
    """The histograms as PNG and SVG files in one zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for model, chart in histograms(run).items():
            archive.writestr(f"{run.id}-{model}.png", png(chart))
            archive.writestr(f"{run.id}-{model}.svg", svg(chart))
    return buffer.getvalue()


STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2733; background: #fff; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { flex: 1 1 18rem; max-width: 26rem; margin: 0 0 1rem; } figcaption { font-weight: 600; }
figure svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { padding: .25rem .75rem; text-align: left;
  border-bottom: 1px solid #c9d3dc; vertical-align: top; }
code { word-break: break-all; }
"""


def head(title: str) -> str:
    """How a page of its own begins, with all that it needs in it."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Forgetting Lab: {html.escape(title)}</title><style>{STYLE}</style></head><body>"
    )


def figures(run: Run) -> str:
    """The histograms as drawings beside each other."""
    drawn = "".join(
        f'<figure role="img" aria-label="{html.escape(chart.description)}"><figcaption>'
        f"{html.escape(terms.COLUMNS[model])}</figcaption>{svg(chart)}</figure>"
        for model, chart in histograms(run).items()
    )
    return f'<div class="charts">{drawn}</div>'


def plan_json(plan: Plan) -> bytes:
    """A plan as a file: what was run, all images of a choice included."""
    return (json.dumps(plan.to_dict(), indent=2, sort_keys=True) + "\n").encode()


def page(run: Run, link: str, labels: dict[str, str]) -> str:
    """One HTML page with all of it: verdict, pictures, numbers, and how to repeat the run."""
    esc = html.escape
    values = "".join(
        f"<tr><td>{esc(terms.SHORT[r.model])}</td><td>{esc(terms.term(r.metric))}</td>"
        f"<td>{_percent(r.value)}</td><td>{_percent(r.low)} to {_percent(r.high)}</td>"
        f"<td>{'' if pd.isna(r.n) else f'{int(r.n):,}'}</td></tr>"
        for r in metrics_table(run).itertuples()
    )
    words = "".join(
        f"<dt>{esc(terms.term(name))}</dt><dd>{esc(terms.sentence(name))}</dd>"
        for name in metrics_table(run)["metric"].unique()
    )
    facts = {
        "Run": run.id,
        "Status": terms.STATUS[run.status],
        "Started": run.created,
        "What was forgotten": run.plan.request.describe(),
        "Request": run.plan.request.to_json() if len(run.plan.request.indices) <= 1000 else "",
        "Method": labels.get(run.plan.method, run.plan.method),
        "Settings": _json(run.settings),
        "Method's seed": run.plan.seed,
        "Model": f"{run.plan.model}, weights sha256 {run.weights_sha256 or 'not recorded'}",
        "Reference": run.reference or "none",
        "Data": _json(run.data),
        "Seconds": _json(run.seconds),
        "Versions": _json(run.versions),
        "Link": link,
        "Shell": command_of(run.plan) if run.plan.base == "base" else "",
    }
    table = "".join(
        f"<tr><th scope=row>{esc(k)}</th><td><code>{esc(str(v))}</code></td></tr>"
        for k, v in facts.items()
        if v != ""
    )
    trap = (traps.trap(run) or "").replace("**", "").replace("*", "")
    return (
        f"{head(run.plan.request.describe())}"
        f"<h1>Forgetting Lab: {esc(titles.plan_title(run.plan, labels))}</h1>"
        f"<p><strong>{esc(verdicts.headline(run))}</strong></p><p>{esc(verdicts.reasons(run))}</p>"
        f"<p>{esc(trap)}</p>"
        f"<p>{esc(terms.LIMITS)}</p>{figures(run)}"
        f"<h2>The numbers</h2><table><tr><th>Model</th><th>Metric</th><th>Value</th>"
        f"<th>95 % interval</th><th>Images</th></tr>{values}</table><dl>{words}</dl>"
        f"<h2>How to repeat it</h2><table>{table}</table></body></html>"
    )


def _percent(value: Any) -> str:
    return "" if value is None or pd.isna(value) else numbers.percent(float(value))


def _json(value: Any) -> str:
    return json.dumps(dict(value), default=str, sort_keys=True)
