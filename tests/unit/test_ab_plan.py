from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.locust_run import CHAT

from wsload.commands import cli
from wsload.commands.ab.plan import ExperimentPlan, order
from wsload.commands.ab.progress import forecast, power_lines
from wsload.commands.cli.options import check_options
from wsload.commands.harness.builds import Build, build_of, handshake_options
from wsload.errors import UsageError
from wsload.judge.compare.pairs import Side
from wsload.judge.compare.verdict import Gate

URL = "ws://127.0.0.1:{port}"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9"
SERVE = "node server.js --port {port}"
PLAN = ExperimentPlan(
    a=Build(name="v1", url=URL, command=SERVE),
    b=Build(name="v2", url=URL, command=f"{SERVE} --new"),
    locustfile="chat.py",
    users=200,
    spawn_rate=20,
    run_time_s=30,
)


# The order


def test_the_order_is_a_b_b_a() -> None:
    assert [slot.letter for slot in order(4)] == ["A", "B", "B", "A", "A", "B", "B", "A"]


@given(st.integers(2, 200))
def test_each_pair_has_one_run_of_either_side_and_no_place_is_twice(pairs: int) -> None:
    slots = order(pairs)
    assert [slot.number for slot in slots] == list(range(1, 2 * pairs + 1))
    assert [slot.pair for slot in slots] == [1 + place // 2 for place in range(2 * pairs)]
    for a, b in zip(slots[::2], slots[1::2], strict=True):
        assert {a.side, b.side} == set(Side)


@given(st.integers(1, 100))
def test_over_an_even_number_of_pairs_a_steady_drift_weighs_on_both_alike(half: int) -> None:
    places = {side: [slot.number for slot in order(2 * half) if slot.side is side] for side in Side}
    assert sum(places[Side.BASELINE]) == sum(places[Side.CANDIDATE])


# Builds


def test_a_side_is_a_command_or_the_url_of_a_server_that_runs() -> None:
    found = build_of(SERVE, name="v1", url=URL, option="--a")
    assert (found.command, found.url) == (SERVE, URL)
    found = build_of("wss://chat.test:8443/x", name="v1", url=URL, option="--a")
    assert (found.command, found.url) == ("", "wss://chat.test:8443/x")


@pytest.mark.parametrize(
    ("text", "url", "said"),
    [
        ("node server.js", URL, r"--a 'node server.js': has no {port}"),
        (SERVE, "ws://127.0.0.1:80", "--url 'ws://127.0.0.1:80': has no {port}"),
        ("wss://me:secret@chat.test", URL, "the URL holds a password.*LOCUST_WS_BASIC"),
        (
            "wss://chat.test/x?token=secret",
            URL,
            r"--a 'wss://chat.test/x\?token=\*\*\*': the URL holds a token",
        ),
        (SERVE, "ws://127.0.0.1:{port}/?key=secret", "--url .*the URL holds a token.*LOCUST_WS_URL"),
        (SERVE, "ftp://127.0.0.1:{port}", "--url .*: a URL with ws, wss, http or https is needed"),
        ("ws://host/ --port 1", URL, "has no {port}"),
        (SERVE, "ws://me:secret@127.0.0.1:80", "--url: the URL holds a password"),
        (SERVE, "ftp://me:secret@host:{port}", r"--url 'ftp://\*\*\*@host:{port}': a URL with"),
        ("wsss://me:secret@chat.test", URL, r"--a 'wsss://\*\*\*@chat.test': has no {port}"),
        ("ws://me:secret@[::1", URL, r"--a 'ws://\*\*\*@\[::1': no host can be read"),
        ("ws://me:secret@ho\u2100st", URL, "no host can be read"),
    ],
)
def test_a_side_that_can_not_work_is_refused(text: str, url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        build_of(text, name="v1", url=url, option="--a")
    assert "secret" not in str(caught.value)


# The plan


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pairs": 1}, "--pairs 1: must be from 2 to 200"),
        ({"users": 0}, "--users 0: must be from 1 to 1,000,000"),
        ({"run_time_s": 0.5}, "--run-time 0.5: must be from 1 to 86,400"),
        ({"warm_up_s": -1}, "--warm-up -1"),
        ({"spawn_rate": 0}, "--spawn-rate 0"),
        ({"repeats": 11}, "--repeat 11"),
        ({"ready_timeout_s": 0}, "--ready-timeout 0"),
        ({"b": PLAN.a}, "both builds are called 'v1': name them with --a-name and --b-name"),
        ({"options": ("--ws-rate", "5", "-u", "9")}, "-u after --: wsload ab sets it itself"),
        ({"options": ("-t30s",)}, "-t30s after --"),
        ({"options": ("--ws-build=x",)}, "--ws-build after --"),
        ({"options": ("--ws-url", "/chat?token=abc")}, "after --: '/chat.*the URL holds a token"),
        ({"options": ("--ws-url=wss://x.test/?auth=abc",)}, "the URL holds a token.*LOCUST_WS_URL"),
        ({"options": ("--ws-url", f"/chat/{TOKEN}")}, "the URL holds a token.*LOCUST_WS_URL"),
        ({"options": ("--ws-origin=ada:abc@x.test",)}, "the URL holds a token"),
        ({"options": ("--ws-connect-to", "ada:abc@x.test:80")}, "the URL holds a token"),
        ({"options": ("--ws-bearer", "abc")}, "stored in experiment.json; set LOCUST_WS_BEARER"),
    ],
)
def test_a_plan_that_can_not_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        replace(PLAN, **changes)
    assert "abc" not in str(caught.value) and TOKEN not in str(caught.value)


def test_the_stopping_rule_is_made_for_the_plans_pairs() -> None:
    assert (replace(PLAN, pairs=7).looks.pairs, replace(PLAN, pairs=7).looks.early_looks) == (7, 0)
    assert replace(PLAN, pairs=7, stop_early=True).looks.early_looks == 4


# What the first handshake has to do as the load will


def test_a_handshake_leaves_to_the_user_classes_what_is_not_given() -> None:
    found = handshake_options(("--ws-rate", "100"), {})
    assert (found.subprotocols, found.url) == ((), "")
    found = handshake_options(
        ("--ws-subprotocol", "a", "--ws-subprotocol=b", "--ws-url", "/chat", "--ws-origin", "https://x"), {}
    )
    assert (found.subprotocols, found.url, found.origin) == (("a", "b"), "/chat", "https://x")
    found = handshake_options(("--ws-ca-file", "ca.pem"), {"LOCUST_WS_INSECURE": "true"})
    assert (found.ca_file, found.insecure) == ("ca.pem", True)
    assert not handshake_options((), {"LOCUST_WS_INSECURE": "false"}).insecure


def test_or_by_the_variables_that_locust_reads() -> None:
    found = handshake_options((), {"LOCUST_WS_SUBPROTOCOL": "[a, b]", "LOCUST_WS_URL": "/chat"})
    assert (found.subprotocols, found.url) == (("a", "b"), "/chat")


def test_an_option_without_its_value_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="after --: argument --ws-url: expected one argument"):
        handshake_options(("--ws-url",), {})


# What every run would refuse


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ws-check", "message.p99 <"), "argument --ws-check:"),
        (("--ws-check=message.p99 < 1s", "--ws-check", "nonsense"), "argument --ws-check:.*nonsense"),
        (("--ws-abort-on", "never"), "argument --ws-abort-on: 'never'"),
        (("--ws-checks", "nowhere.txt"), r"argument --ws-checks: 'nowhere.txt': can't be read"),
        (("--ws-rate", "many"), "argument --ws-rate: 'many': "),
        (("--ws-rate", "5", "--ws-profile", "0:1/s 9s:2/s"), "leave out --ws-rate"),
        (("--ws-rate",), "argument --ws-rate: expected one argument"),
    ],
)
def test_what_every_run_would_refuse_is_refused_beforehand(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=re.compile(said, re.DOTALL)):
        check_options(words)


@pytest.mark.parametrize("word", ["--ws-bear", "--ws-basi=a:b", "--ws-res", "--ws-u", "--ws-c"])
def test_an_abbreviation_is_refused_since_names_decide_what_may_be_stored(word: str) -> None:
    with pytest.raises(UsageError, match=r"after --: is an abbreviation: write --ws-"):
        check_options((word, "x"))
    check_options(("--ws-unknown-to-wsload", "x"))


def test_locusts_own_options_are_left_to_locust() -> None:
    check_options(("--processes", "4", "--tags", "a", "b", "--ws-check", "lost < 1", "--ws-url=/chat"))


@pytest.mark.parametrize(
    "words",
    [
        ("ab", "--a", "touch {port}", "--b", "touch b{port}", "--", "--ws-check", "nonsense"),
        (
            *("capacity", "--serve", "touch {port}", "--rate", "1..9", "--check", "lost < 1"),
            *("--", "--ws-tolerance", "nonsense"),
        ),
    ],
)
def test_nothing_is_started_before(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *others = words
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "-f", str(CHAT), *others])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"wsload: argument {words[-2]}:")
    assert list(tmp_path.iterdir()) == []


# What is said beforehand


def test_the_plan_in_words() -> None:
    lines = list(forecast(replace(PLAN, stop_early=True)))
    assert lines[0] == "A (v1): node server.js --port {port}"
    assert lines[2] == (
        "10 pairs of runs, A B B A A B …: 30 s each, after 5 s of warm-up, 200 users a run; about 13 min in all"
    )
    assert "--stop-early" in lines[3]
    short = list(forecast(replace(PLAN, pairs=2, warm_up_s=0)))
    assert short[2] == "2 pairs of runs, A B B A: 30 s each, 200 users a run; about 2 min 10 s in all"


def test_power_is_told_for_what_is_judged_together() -> None:
    needed, assumed = power_lines(replace(PLAN, gate=Gate(judged=("message.p99",))), 0.10)
    assert needed == (
        "Detecting a slowdown of 10 % in 4 of 5 experiments takes 10 pairs, about 13 min; "
        "the 10 planned ones detect it in 80 of 100"
    )
    assert "ratios scatter by 6.9 %" in assumed and "1 statistic is judged" in assumed
    everything, _ = power_lines(PLAN, 0.10)
    assert "takes 17 pairs" in everything
    needed, assumed = power_lines(replace(PLAN, side_by_side=True), 0.10)
    assert "takes 6 pairs" in needed and "ratios scatter by 3 %" in assumed


def test_an_effect_below_the_gate_can_not_be_found() -> None:
    with pytest.raises(UsageError, match="can't be detected, because only more than 3 % counts"):
        list(power_lines(PLAN, 0.02))
