"""A run for other programs, as JSON and CSV: the summary's figures, unrounded and in ns."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from typing import Final

from wsload.judge.figures.summary import MetricSummary
from wsload.report.run_report import RunReport
from wsload.results.run import SCHEMA
from wsload.words import printable_json

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in a spreadsheet."""


def as_json(report: RunReport) -> str:
    """Standing, problems, and the contents of run.json and of summary.json, rebuilt from the logs."""
    text = json.dumps(
        {
            "schema": SCHEMA,
            "name": report.path.name,
            "standing": report.standing,
            "trust": None if report.trust is None else report.trust.to_json(),
            "problems": report.problems,
            "run": json.loads(report.info.to_json()),
            "summary": {**report.stored, **report.summary.to_json()},
            "interruptions": [asdict(interruption) for interruption in report.interruptions],
        },
        indent=2,
        ensure_ascii=False,
    )
    return printable_json(text) + "\n"


def as_csv(report: RunReport) -> str:
    """One line per metric; RFC 4180, but with plain line breaks."""
    names = [field.name for field in fields(MetricSummary)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["metric", *names])
    for metric, figures in report.summary.metrics.items():
        # A spreadsheet takes what begins like a formula for one; an apostrophe tells it otherwise.
        shown = f"'{metric}" if metric.startswith(FORMULA) else metric
        writer.writerow([shown, *(getattr(figures, name) for name in names)])
    return text.getvalue()
