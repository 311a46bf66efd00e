"""A run as JUnit XML for CI systems: one test case for its standing and one for each check.

A run that is not trusted fails its case, unless ``--ws-allow-invalid`` let it pass: then the case is skipped, and says
why the figures are not trusted.

Elements and attributes are those of the Ant task's schema, which Jenkins and GitLab read.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from wsload.judge.run.standing import cut_short
from wsload.report.run_report import RunReport
from wsload.results.run import CheckState
from wsload.results.trust import Standing
from wsload.words import printable

STANDING: Final = "the run can be trusted"


def junit(report: RunReport) -> str:
    """The XML, with a final newline."""
    info = report.info
    states = Counter(check.state for check in info.checks)
    counts = {
        "tests": str(len(info.checks) + 1),
        "failures": str(states[CheckState.FAILED] + (_tag(report) == "failure")),
        "errors": str(states[CheckState.UNJUDGED] + (_tag(report) == "error")),
        "time": f"{report.summary.duration_s:.3f}",
    }
    skipped = str(int(_tag(report) == "skipped"))
    name = printable(f"wsload {info.build}")
    root = Element("testsuites", {"name": name, **counts})
    started_at = datetime.fromtimestamp(info.started_at, UTC).replace(tzinfo=None)
    suite = SubElement(
        root,
        "testsuite",
        {"name": name, **counts, "skipped": skipped, "timestamp": started_at.isoformat(timespec="seconds")},
    )
    properties = SubElement(suite, "properties")
    for key, value in (("build", info.build), ("target", info.target), ("run", report.path.name)):
        SubElement(properties, "property", {"name": key, "value": printable(value)})
    _standing(suite, report)
    for check in info.checks:
        case = _case(suite, check.expression)
        if check.state is not CheckState.PASSED:
            said = printable(f"wanted {check.wanted}, got {check.explained}")
            tag = "failure" if check.state is CheckState.FAILED else "error"
            SubElement(case, tag, {"type": "check", "message": said})
    indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{tostring(root, encoding='unicode')}\n"


def _standing(suite: Element, report: RunReport) -> None:
    case, tag = _case(suite, STANDING), _tag(report)
    if tag == "skipped":  # no reason to fail: the checks are judged all the same
        SubElement(case, tag, {"message": printable(report.verdict)})
    elif tag:
        found = SubElement(case, tag, {"type": report.standing, "message": printable(report.verdict)})
        found.text = "\n".join(
            printable(f"{doubt.text}: {doubt.remedy}" if doubt.remedy else doubt.text)
            for doubt in report.doubts
        )


def _tag(report: RunReport) -> str:
    """The element that says of the standing that it is not good; empty for none."""
    standing, info = report.standing, report.info
    if standing is Standing.INCOMPLETE:
        return "error"
    allowed = info.options.get("ws_allow_invalid") and not (report.problems or cut_short(info.warnings))
    if standing is Standing.FEW or (standing is Standing.UNTRUSTED and allowed):
        return "skipped"
    return "failure" if standing.tone == "bad" else ""


def _case(suite: Element, name: str) -> Element:
    return SubElement(suite, "testcase", {"classname": "wsload", "name": printable(name)})
