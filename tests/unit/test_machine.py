from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version

from wsload.results import machine


def test_the_clock_is_named_by_eight_characters_and_alike_in_every_process() -> None:
    code = "from wsload.results.machine import clock_id; print(clock_id())"
    others = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    }
    assert re.fullmatch(r"[0-9a-z]{8}", machine.clock_id())
    if machine._boot_id():
        assert others == {machine.clock_id()}
    else:
        assert machine.clock_id() not in others


def test_versions_are_those_installed() -> None:
    found = machine.versions()
    assert found["locust"] == version("locust")
    assert set(found) <= set(machine.PACKAGES)


def test_the_host_is_described_in_plain_values() -> None:
    host = machine.describe_host()
    assert json.loads(json.dumps(host)) == host
    assert host["cores"] >= 1  # type: ignore[operator]
    assert str(host["python"]).endswith(".".join(map(str, sys.version_info[:3])))
    assert set(host) == {"cpu", "cores", "memory_bytes", "system", "python"}


def test_describing_imports_neither_locust_nor_gevent() -> None:
    code = (
        "import sys; from wsload.results.machine import *; versions(); describe_host();"
        "print(sorted({'locust', 'gevent', 'uvloop'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
