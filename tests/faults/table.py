"""The fault table: what goes wrong, how a test makes it, and what is seen then. A row's tests run real processes.

Of every run it holds that it ends in time, that its account adds up with the server's own, that its verdict
and exit code are right, and that no output has a secret or a traceback in it. The column `seen` says what else.
`tests/conftest.py` marks the tests of the table `faults`: ``pytest -m faults`` runs them all, and nothing else.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Fault(NamedTuple):
    """A row."""

    fault: str
    seen: str
    tests: str
    """A file of tests and perhaps the beginning of a test's name, with spaces between several.

    Of a long series some are named; all of them are integration tests.
    """


UI: Final = "integration/test_web_ui_secrets.py"
RUNS: Final = "faults/test_runs.py::test_a_run_with_a_fault"
FILES: Final = "faults/test_files.py"
OUTPUT: Final = "faults/test_output.py"
SERVERS: Final = "faults/test_servers.py"
BAD: Final = "integration/test_bad_servers.py"
BLOCKED: Final = "integration/test_blocked.py"
ENDINGS: Final = "integration/test_endings.py"
ALREADY: Final = "integration/test_ending_already.py"
SIGNALS: Final = f"{ENDINGS}::test_signals_that_come_together_end_the_run_once_and_in_order"
ENDS: Final = f"{BLOCKED}::test_a_run_ends_in_time_and_names_what_kept_it"
WITHIN: Final = "integration/test_ending_from_within.py::test_a_run_ends_in_order"
CASES: Final = "integration/test_cases_endings.py"

TABLE: Final = (
    # Secrets
    Fault("the web UI's pages, whoever asks", "no secret; foreign origins refused; a warning", UI),
    Fault("secrets in every option of a headless run", "in no file and no output", "integration/test_main_job.py::test_secrets"),
    Fault("a redirect to another host, over TLS", "no header, cookie or token goes along; verified by --ws-ca-file", f"{SERVERS}::test_a_redirect"),
    # Servers that do not open
    Fault("refused, unknown name, 200, 404, 503, subprotocol, garbage, silence, TLS", "a kind each; backoff", f"{BAD}::test_a_server_that_does_not_open {BAD}::test_the_run_against_servers_that_do_not_open"),
    Fault("no id, no login, closed at once", "a kind each", f"{BAD}::test_a_server_that_takes_nobody_in {BAD}::test_the_run_against_servers_that_take"),
    Fault("failing TLS handshakes", "the other connections are unharmed", f"{BAD}::test_failing_tls"),
    # Servers that go wrong
    Fault("masked frames, reserved bits, bad UTF-8, terabytes", "the rule that was broken", f"{BAD}::test_a_server_that_breaks {BAD}::test_the_run_against_servers_that_break"),
    Fault("oddities that are allowed", "the echo is measured", f"{BAD}::test_a_server_whose {BAD}::test_the_run_against_servers_with"),
    Fault("answers never, closes never", "lost; dropped after the closing handshake's time", f"{BAD}::test_a_server_that_never"),
    Fault("endless fragments, bombs, pings without reading", "failed by name; the others' figures stay", "integration/test_hostile_neighbours.py"),
    Fault("a message of many megabytes", "linear time", "integration/test_cases_answers.py::test_time_grows"),
    Fault("killed, and started again", "reconnections; what was owed is lost", "integration/test_server_restart.py"),
    Fault("gone without a word (half-open)", "closed by the ping's time-out", f"{SERVERS}::test_a_server_that_is_gone"),
    Fault("an id after the close", "no failure but the login's; nothing unsent", f"{SERVERS}::test_an_id"),
    Fault("a token in what is no message", "malformed; the connection stays", f"{SERVERS}::test_a_token"),
    Fault("a client that does not read (wsload's own server)", "dropped before it fills the memory", "integration/test_serve.py::test_a_client_that_does_not_read"),
    Fault("no more files for wsload's own server", "503, counted", "integration/test_serve.py::test_a_server_that_may_open"),
    # User classes
    Fault("time.sleep, endless computing, hooks that block, deaf tasks", "ends in time; the place and its stack", f"{ENDS}[sleep {ENDS}[on_stop {ENDS}[deaf {BLOCKED}::test_what_blocked"),
    Fault("a call that keeps the interpreter's lock", "the process ends; its stack", f"{BLOCKED}::test_a_call {BLOCKED}::test_a_worker"),
    Fault("no connection, no wait; failures without end; a rate beyond reach; gevent.spawn", "a failure each", RUNS),
    Fault("loops around calls that fail", "nobody starves", f"{CASES}::test_a_loop"),
    Fault("a listener that never returns", "wsload's results are whole", "integration/test_own_events.py::test_a_listener"),
    Fault("sys.exit, quit, StopTest anywhere", "ends once, with its code", f"{WITHIN}[task-exit {WITHIN}[thread-quit {WITHIN}[listener-exit {WITHIN}[on_start-StopTest"),
    Fault("a task that waits when its connection is gone for good", "ConnectionLost", RUNS),
    # The machine
    Fault("no more files, no such source address, ports run out", "a kind each", f"{RUNS} faults/test_runs.py::test_ports"),
    Fault("a load generator that is stopped for seconds", "the account adds up", RUNS),
    Fault("a full disk, a directory removed", "said at once; exit code 7", f"{ENDINGS}::test_a_d"),
    Fault("results that can't be stored", "one line; exit code 2", f"{FILES}::test_results_that"),
    Fault("another clock on a worker", "named; stretches no run", "integration/test_distributed.py::test_a_workers_clock"),
    Fault("a worker without a file that the run needs", "named; not trusted", "integration/test_distributed.py::test_a_worker_that_refuses"),
    Fault("a worker killed", "named; not trusted; its part is kept", "integration/test_distributed.py::test_a_worker_killed"),
    Fault("a worker that was ordered to load and never begins", "named; not trusted; nobody waits", "integration/test_distributed.py::test_a_worker_that_was_ordered"),
    Fault("the master killed", "the workers end; what was written is a report", f"{ENDINGS}::test_workers_end integration/test_cli_report.py::test_a_killed_run"),
    Fault("locust killed", "its server ends; what was written stays", "integration/test_main_job.py::test_a_run_that_is_killed"),
    # Endings
    Fault("SIGINT, SIGTERM, SIGHUP, together and again", "one end, judged, or said that it is not", f"{SIGNALS}[HUP-1 {SIGNALS}[TERM+TERM-2 {SIGNALS}[INT+TERM+HUP-1 {ENDINGS}::test_told_again_a_run_ends_without_waiting_and_is_judged[SIGTERM {ENDINGS}::test_told_a_third"),
    Fault("a graceful stop in an open workload; a thousand who leave at once", "no waiting for what is not due", RUNS),
    Fault("a run that ends under Locust's page", "the page asks on until it has", "faults/test_page.py"),
    Fault("a signal while a run ends, or after it has ended", "waits for that end; nothing is lost", f"{ALREADY}::test_the_first_signal_waits_for_the_end_in_progress[2-SIGTERM {ALREADY}::test_a_signal_while_the_web_ui {ALREADY}::test_a_signal_after_the_run_has_ended_changes_nothing[1-SIGINT"),
    Fault("a listener of quitting that exits", "the others are called; the run is judged", f"{ALREADY}::test_a_listener_that_exits"),
    Fault("a listener that sets another exit code", "the verdict's goes before", f"{ENDINGS}::test_no_listener_silences_figures"),
    # Text, files, terminals
    Fault("options that can't be read", "one line; exit code 2", "faults/test_runs.py::test_an_option faults/test_runs.py::test_a_proxy integration/test_main_job.py::test_a_mistake"),
    Fault("user classes that can't be", "one line with its place; exit code 2", "faults/test_runs.py::test_a_user_class"),
    Fault("results directories that mean no good", "one line, whatever the command", f"{FILES}::test_a_results_directory"),
    Fault("foreign text: formulas, markup, escape sequences", "text, in every format", f"{FILES}::test_foreign"),
    Fault("a damaged line, an impossible time, a summary that can't be written", "one line; the verdict stays", "integration/test_cli_compare.py::test_a_line integration/test_cli_compare.py::test_a_run_of integration/test_cli_compare.py::test_a_summary"),
    Fault("paths with spaces in every option", "they are paths", f"{FILES}::test_paths"),
    Fault("a pipe that nobody reads, or late; a full disk under it", "the run ends, judged; what is lost is said", f"{OUTPUT}::test_a_pipe {OUTPUT}::test_what_is_read {OUTPUT}::test_a_full"),
    Fault("TERM=dumb, LANG=C, a terminal of ASCII", "question marks", f"{OUTPUT}::test_a_dumb integration/test_cli_compare.py::test_a_terminal"),
    Fault("runs that begin in the same second", "a directory each", "faults/test_runs.py::test_runs_of_one_second"),
    # The whole command, which wants a quiet machine for its verdict, is in tests/integration/test_cli_ab.py.
    Fault("wsload ab killed, and begun again from elsewhere", "what nobody holds of worktrees is removed", "unit/test_harness_worktree.py::test_what_nobody unit/test_harness_worktree.py::test_from_another"),
)  # fmt: skip


def names() -> tuple[str, ...]:
    """The beginnings of the ids of all tests in the table, below ``tests/``."""
    return tuple(name for row in TABLE for name in row.tests.split())
