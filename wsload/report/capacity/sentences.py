"""What a search found, in words."""

from __future__ import annotations

from collections.abc import Iterator

from wsload.judge.capacity.comparison import CapacityComparison, CapacityVerdict
from wsload.judge.capacity.search import Outcome, SearchPlan, State
from wsload.judge.capacity.step import StepFigures
from wsload.report.capacity.capacity import CapacityReport, SearchedSide
from wsload.words import counted, number, percent, rate


def shown(value: float, plan: SearchPlan) -> str:
    """A rate, or a number of users: ``4,180/s``, ``350 users``."""
    return f"{number(round(value))} users" if plan.whole else f"{rate(value)}/s"


def headline(report: CapacityReport) -> str:
    """What was found, in one sentence without its full stop."""
    if report.contrast is None:
        found = finding(report.sides[0], report.plan)
        return found[0].upper() + found[1:]
    return contrast_sentence(report.contrast, report.plan, *report.sides)


def findings(report: CapacityReport) -> Iterator[str]:
    """Each side's, where there are two."""
    if report.contrast is not None:
        for side in report.sides:
            yield f"{side.called} {finding(side, report.plan)}"


def finding(side: SearchedSide, plan: SearchPlan) -> str:
    """``holds 4,180/s (between 4,100/s and 4,260/s), fails at 4,400/s: message.p99 212 ms``."""
    look = side.look
    between = f"between {shown(look.low, plan)} and {shown(look.high, plan)}"
    match look.state:
        case State.FOUND:
            return f"holds {shown(look.estimate, plan)} ({between}){_fails(side, plan)}"
        case State.IMPRECISE:
            steps = counted(len(side.steps), "step")
            return (
                f"holds about {shown(look.estimate, plan)} ({between}, which is all that {steps} could tell)"
                f"{_fails(side, plan)}"
            )
        case State.ABOVE:
            return f"holds {shown(plan.high, plan)}, the top of the range"
        case State.BELOW:
            return f"does not hold {shown(plan.low, plan)}, the bottom of the range{_why(side.steps[-1])}"
        case State.GAVE_OUT:
            return _gave_out(side, plan)
        case State.FEW:
            return _few(side, plan)
        case State.SEARCHING:
            if not side.steps:
                return "has not been searched yet"
            return f"holds {between}, by {counted(len(side.steps), 'step')} of a search that was not finished"


def _fails(side: SearchedSide, plan: SearchPlan) -> str:
    step = side.fails_at
    return "" if step is None else f", fails at {shown(step.rate, plan)}{_why(step)}"


def _why(step: StepFigures) -> str:
    return f": {step.reason}" if step.reason else ""


def _gave_out(side: SearchedSide, plan: SearchPlan) -> str:
    how = "reached its limit first" if side.look.ceiling is not None else "repeatedly could not be trusted"
    return _cut_off(side, plan, f"the load generator {how}", side.latest(Outcome.UNTRUSTED))


def _few(side: SearchedSide, plan: SearchPlan) -> str:
    return _cut_off(side, plan, "too few values", side.latest(Outcome.FEW))


def _cut_off(side: SearchedSide, plan: SearchPlan, what: str, step: StepFigures | None) -> str:
    """What is known of a search that could not go on."""
    held = side.highest
    known = "has no known capacity" if held is None else f"holds at least {shown(held.rate, plan)}"
    then = ";" if side.fails_at is not None else ":"
    assert step is not None
    remedy = f" ({step.remedy})" if step.remedy else ""
    return f"{known}{_fails(side, plan)}{then} {what}, at {shown(step.rate, plan)}{_why(step)}{remedy}"


def contrast_sentence(found: CapacityComparison, plan: SearchPlan, a: SearchedSide, b: SearchedSide) -> str:
    """``B (v2) holds 12 % to 19 % less than A (v1)``."""
    match found.verdict:
        case CapacityVerdict.LESS:
            return (
                f"{b.called} holds {percent(1 - found.high)} to {percent(1 - found.low)} less than {a.called}"
            )
        case CapacityVerdict.MORE:
            return (
                f"{b.called} holds {percent(found.low - 1)} to {percent(found.high - 1)} more than {a.called}"
            )
        case CapacityVerdict.NOT_LESS:
            return f"{b.called} holds at least as much as {a.called}, or at most {_share(1 - found.low)} less"
        case CapacityVerdict.BOTH_ABOVE:
            return f"{a.called} and {b.called} both hold {shown(plan.high, plan)}, the top of the range"
        case CapacityVerdict.BOTH_BELOW:
            return f"Neither {a.called} nor {b.called} holds {shown(plan.low, plan)}, the bottom of the range"
        case CapacityVerdict.INCONCLUSIVE:
            return (
                f"Can't tell which holds more: {b.called} holds between {_share(1 - found.low)} less and "
                f"{_share(found.high - 1)} more than {a.called}"
            )


def _share(value: float) -> str:
    return percent(round(value, 3))
