"""What a foreign directory holds never steers the terminal, nor makes more than a line of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.made_runs import STARTED_AT, make_run

from wsload.commands.cli import main
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.names import Kind

EVIL = "\x1b]0;x\x07\x9b2J\u202e"


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    name = f"buy{EVIL}"
    interval = Interval(
        start_s=STARTED_AT,
        length_s=1.0,
        histograms={name: Histogram.of([1_000_000] * 50), "message": Histogram.of([1_000_000] * 50)},
        counters={"requests": 100, "message.unpaired": 1, f"message: {EVIL}": 1},
        failures={(name, EVIL): 3},
        names={name: Kind.REQUEST, "message": Kind.REQUEST},
    )
    place = tmp_path / f"results{EVIL}"
    place.mkdir()
    return make_run(place, [interval], build=EVIL)


@pytest.mark.parametrize(
    "words",
    [
        ("check", "RUN", "message.p50 < 50ms", f'"buy{EVIL}".p50 < 1ms'),
        ("check", "RUN", "message.p50 < 50ms"),
        ("check", "RUN", f"'{EVIL}' < 1"),
        ("check", "RUN", "nothing.p50 < 1ms"),
        ("export", "RUN", "--metric", "nothing"),
        ("export", "RUN", "--metric", EVIL),
        ("compare", "RUN", "RUN", "--judge", "nothing"),
        ("compare", f"no{EVIL}", "RUN"),
        ("report", "RUN", "--format", "terminal"),
        ("report", "RUN"),
        ("report", "RUN", "--format", "json"),
        ("list", "--results", "PLACE"),
        ("list", "--results", "PLACE", "--format", "json"),
        ("report", "--history", "--results", "PLACE"),
        ("compare", "RUN", "OTHER", "--format", "json", "--force"),
        ("report", f"no{EVIL}"),
        (f"no{EVIL}",),
    ],
    ids=" ".join,
)
def test_no_command_lets_it_through(
    evil: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    other = str(shutil.copytree(evil, evil.parent.parent / f"other{EVIL}")) if "OTHER" in words else ""
    with pytest.raises(SystemExit):
        main(
            [{"RUN": str(evil), "PLACE": str(evil.parent), "OTHER": other}.get(word, word) for word in words]
        )
    found = capsys.readouterr()
    said = found.out + found.err
    assert said.strip()
    assert "json" not in words or json.loads(found.out)
    assert [character for character in said if not character.isprintable() and character != "\n"] == []
    assert "Traceback" not in said


def test_nor_does_a_damaged_one(evil: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (evil / "run.json").write_text('{"schema": "\\u001b[2J"}')
    for words in (["check", str(evil), "lost < 1"], ["list", "--results", str(evil.parent)]):
        with pytest.raises(SystemExit):
            main(words)
        found = capsys.readouterr()
        assert "\x1b" not in found.out + found.err
