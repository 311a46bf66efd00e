from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.made_runs import TRUSTED
from support.stored_runs import LATE, OPTIONS, SERVED, store_run, store_sides

from wsload.errors import ResultsError, UsageError
from wsload.judge.compare.pairs import Place, Side
from wsload.judge.compare.verdict import Gate
from wsload.judge.figures.summary import Summary
from wsload.report.comparison.comparison import make_report
from wsload.report.comparison.runs import NOT_GIVEN, conditions_of, has_workload, read_runs
from wsload.results.reader import open_run
from wsload.results.server_figures import SERVER, read_server
from wsload.results.trust import Standing
from wsload.results.window import Stretch, Window
from wsload.results.writer import RUN

OLD_RUN = next((Path(__file__).parents[1] / "data").glob("schema-1/**/run.json")).parent


def test_runs_come_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    baseline, candidate = store_sides(tmp_path, pairs=2)
    runs = read_runs(list(reversed(baseline)), candidate)
    assert [run.side for run in runs] == [Side.BASELINE, Side.CANDIDATE, Side.CANDIDATE, Side.BASELINE]
    assert runs[0].name == baseline[0].name
    assert set(runs[0].figures.outcomes) == {"open", "login", "message"}
    assert runs[0].figures.requests == {"message"}
    assert runs[0].sent_rate == 200
    assert runs[0].figures.outcomes["message"].percentile(50) == runs[0].summary.metrics["message"].p50_ns


def test_of_runs_that_did_not_store_their_names_the_request_is_the_chats(tmp_path: Path) -> None:
    old = [OLD_RUN, shutil.copytree(OLD_RUN, tmp_path / "again")]
    for run in read_runs(old[:1], old[1:]):
        assert run.figures.requests == {"message"} and not run.doubt


def test_what_was_lost_and_refused_is_read_with_its_name(tmp_path: Path) -> None:
    (run, _) = read_runs([store_run(tmp_path, "v1", lost=3, refused=2)], [store_run(tmp_path, "v2", at=1)])
    message, opening = run.figures.outcomes["message"], run.figures.outcomes["open"]
    assert (message.answered, message.lost, message.failed) == (2_400, 36, 0)
    assert (opening.answered, opening.lost, opening.failed) == (2_400, 0, 24)


def test_runs_know_their_place_in_an_experiment(tmp_path: Path) -> None:
    a, b = store_run(tmp_path, "v1"), store_run(tmp_path, "v2", at=1)
    found = read_runs([a], [b], places={b: Place(slot=3, stage=2)})
    assert [(run.figures.slot, run.figures.stage) for run in found] == [(0, 0), (3, 2)]


def test_of_runs_that_do_not_vouch_for_their_figures_the_reason_is_kept(tmp_path: Path) -> None:
    late = store_run(tmp_path, "v1", valid=False)
    killed = store_run(tmp_path, "v2", valid=None)
    a, b = read_runs([late], [killed])
    assert a.doubt == f"Not trusted: {LATE.text}"
    assert b.doubt.startswith("incomplete: run.json: the run has not ended")
    assert not a.figures.valid and not b.figures.valid
    assert all(run.figures.valid and run.doubt for run in read_runs([late], [killed], force=True))


def test_a_damaged_log_spoils_only_what_was_doubtful_before(tmp_path: Path) -> None:
    killed, whole = store_run(tmp_path, "v1", valid=None), store_run(tmp_path, "v2")
    for path in (killed, whole):
        with (path / "histograms.hlog").open("ab") as log:
            log.write(b"0.000,1.000,1.0,garbage\n")
    with pytest.raises(ResultsError, match=f"{whole.name}.*histograms.hlog"):
        read_runs([killed], [whole])
    assert read_runs([killed], [store_run(tmp_path, "v3")])[0].doubt


def test_a_line_damaged_late_in_a_log_is_named_and_with_force_the_rest_is_used(tmp_path: Path) -> None:
    a, b = store_run(tmp_path, "v1"), store_run(tmp_path, "v2", at=1)
    log = a / "histograms.hlog"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:-3], b"Tag=open,11.000,1.000,1.0,garbage\n", *lines[-2:]]))
    with pytest.raises(ResultsError, match=r"histograms.hlog, line \d+"):
        read_runs([a], [b])
    (damaged, _) = read_runs([a], [b], force=True)
    assert damaged.figures.valid
    assert damaged.doubt.startswith("damaged: ") and "histograms.hlog, line" in damaged.doubt
    assert 2_000 <= damaged.figures.outcomes["message"].attempts < 2_400


def test_a_run_stands_on_one_side_once(tmp_path: Path) -> None:
    path = store_run(tmp_path, "v1")
    with pytest.raises(UsageError, match="is named twice"):
        read_runs([path], [path.parent / "." / path.name])


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    one, other = store_run(tmp_path / "one", "v1"), store_run(tmp_path / "other", "v1")
    assert {run.name for run in read_runs([one], [other])} == {str(one), str(other)}


def test_the_rate_of_the_load_leaves_out_the_wait_for_the_last_answers(tmp_path: Path) -> None:
    paths = [
        store_run(tmp_path, "v1", at=at, options=OPTIONS | options, seconds=12, per_second=100)
        for at, options in enumerate(({}, {"run_time": 10}, {"run_time": 60}))
    ]
    without, waited, stopped = read_runs(paths[:2], paths[2:])
    assert (without.sent_rate, waited.sent_rate, stopped.sent_rate) == (100, 120, 100)
    warm = replace(waited, info=replace(waited.info, window=Window(from_s=2)))
    assert warm.sent_rate == 150


def test_conditions_are_how_the_load_was_made_and_where(tmp_path: Path) -> None:
    a = store_run(
        tmp_path, "v1", options=OPTIONS | {"ws_rate": "100", "host": "ws://one", "ws_check": ["lost < 1"]}
    )
    b = store_run(tmp_path, "v2", at=1, options=OPTIONS | {"host": "ws://other", "num_users": None})
    first, second = (run.figures.conditions for run in read_runs([a], [b]))
    assert first["users"] == second["users"] == "20"  # what was reached, where no number was given
    assert first["machine"] == second["machine"]
    assert " core" in first["machine"]
    assert "wsload" in first["load generator"]
    assert (first["--ws-rate"], second["--ws-rate"]) == ("100", NOT_GIVEN)
    assert first.keys() == second.keys()
    assert not {"--host", "--ws-check", "--ws-build"} & first.keys()


@pytest.mark.parametrize(
    "option",
    [
        {"ws_check": ["lost < 1"]},
        {"ws_checks": "strict.txt"},
        {"ws_prometheus": "9646"},
        {"ws_json_progress": True},
        {"ws_allow_invalid": True},
    ],
)
def test_what_is_done_with_the_figures_is_no_condition(tmp_path: Path, option: dict[str, object]) -> None:
    a, b = store_run(tmp_path, "v1", options=OPTIONS | option), store_run(tmp_path, "v2", at=1)
    first, second = (run.figures.conditions for run in read_runs([a], [b]))
    assert first == second


# server.json


def test_a_servers_figures_are_read_with_the_run(tmp_path: Path) -> None:
    a, b = store_run(tmp_path, "v1"), store_run(tmp_path, "v2", at=1)
    (a / SERVER).write_bytes(SERVED.to_json())
    assert [run.server for run in read_runs([a], [b])] == [SERVED, None]


@pytest.mark.parametrize(
    "change",
    [{"schema": 2}, {"cpu_s": "much"}, {"samples": [1]}, {"samples": None}, {"memory_peak_bytes": None}],
)
def test_damaged_ones_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / SERVER).write_text(json.dumps(json.loads(SERVED.to_json()) | change))
    with pytest.raises(ResultsError, match=r"server.json: not the figures of a server"):
        read_server(tmp_path)


# What is on record of the load


def test_a_workload_on_record_is_compared_key_by_key(tmp_path: Path) -> None:
    a, b = (open_run(store_run(tmp_path, build, at=at)) for at, build in enumerate(("v1", "v2")))
    summary = Summary()
    load = {"kind": "open", "rate": "100", "locustfile": {"load.py": "ab"}, "commit": "c0ffee"}

    def differing(one: dict[str, object], other: dict[str, object]) -> set[str]:
        infos = [replace(a.info, workload=one), replace(b.info, workload=other)]
        first, second = conditions_of([(info, summary) for info in infos])
        return {name for name in first if first[name] != second[name]}

    assert differing(load, load) == set()
    assert differing(load, load | {"commit": "other"}) == set()
    assert differing(load, load | {"kind": "closed"}) == {"workload"}
    assert differing(load, load | {"locustfile": {"load.py": "cd"}}) == {"locustfile (SHA-256)"}
    assert differing(load, {"kind": "open"}) == {"workload, rate", "locustfile (SHA-256)"}
    assert differing(load, {}) == set()  # a run of before: nothing is known
    first, _ = conditions_of([(replace(a.info, workload=load), summary)] * 2)
    assert first["locustfile (SHA-256)"] == "load.py ab"
    users = {"user_classes": {"Two": {"weight": 2, "fixed_count": 0}, "One": {"weight": 1}}}
    first, _ = conditions_of([(replace(a.info, workload=users), summary)] * 2)
    assert first["user classes"] == "One (weight 1), Two (fixed_count 0, weight 2)"
    assert not has_workload(a.info)


def test_an_open_and_a_closed_workload_are_not_compared_unless_forced(tmp_path: Path) -> None:
    a, b = store_run(tmp_path, "v1"), store_run(tmp_path, "v2", at=1)
    for path, kind in ((a, "open"), (b, "closed")):
        info = replace(open_run(path).info, workload={"kind": kind, "ping_s": 20.0})
        (path / RUN).write_bytes(info.to_json())
    with pytest.raises(
        UsageError, match="the runs differ in workload: open in the baseline; closed in the cand"
    ):
        make_report([a], [b], gate=Gate())
    assert any(
        "differ in workload" in each for each in make_report([a], [b], gate=Gate(), force=True).warnings
    )


# Runs that are trusted in part


def partly(path: Path, **up_to: float) -> Path:
    info = open_run(path).info
    trust = replace(TRUSTED, standing=Standing.PARTLY, verdict="Trusted up to p95 (message)", up_to=up_to)
    (path / RUN).write_bytes(replace(info, trust=trust).to_json())
    return path


def test_runs_trusted_up_to_p95_serve_p50_and_p95_and_the_rest_is_left_out_by_name(tmp_path: Path) -> None:
    baseline, candidate = store_sides(tmp_path, slower=1.3, pairs=4)
    for path in (*baseline, *candidate):
        partly(path, message=95.0)
    gate = Gate(judged=("message.p50", "message.p95", "message.p99"))
    report = make_report(baseline, candidate, gate=gate)
    comparison = report.comparison
    assert [(each.name, each.verdict) for each in comparison.judgements] == [
        ("message.p50", "slower"),
        ("message.p95", "slower"),
    ]
    assert [each.name for each in comparison.unjudged] == ["message.p99"]
    assert "in most runs it is not trusted" in comparison.unjudged[0].reason
    assert all(run.doubt == "" for run in report.runs)


def test_a_pair_counts_only_for_what_both_of_its_runs_are_trusted_for(tmp_path: Path) -> None:
    baseline, candidate = store_sides(tmp_path, slower=1.3, pairs=4)
    partly(candidate[0], message=50.0)
    found = make_report(baseline, candidate, gate=Gate(judged=("message",))).comparison.judgements
    assert [(each.name, each.pairs) for each in found] == [("message.p50", 4), ("message.p99", 3)]


def test_another_window_is_compared_and_judged_by_what_lies_in_it(tmp_path: Path) -> None:
    baseline, candidate = store_sides(tmp_path, slower=1.3, pairs=2)
    partly(baseline[0], message=50.0)
    gate = Gate(judged=("message.p50",))
    whole = make_report(baseline, candidate, gate=gate)
    half = make_report(baseline, candidate, gate=gate, stretch=Stretch(from_s=6))
    (all_,), (later,) = whole.comparison.judgements, half.comparison.judgements
    assert all_.verdict == later.verdict == "slower"
    assert [run.figures.outcomes["message"].attempts for run in whole.runs] == [2_400] * 4
    assert [run.figures.outcomes["message"].attempts for run in half.runs] == [1_200] * 4
    assert half.runs[0].info.window == Window(from_s=6)
    assert dict(half.runs[0].figures.trusted) == {}, "judged anew"
