"""The documentation is built without a warning, and its pages have their parts in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.documents import DOCS
from support.locust_run import ROOT

pytest.importorskip("sphinx")


def test_the_documentation_is_built(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, tmp_path],
        env={**os.environ, "LOCUST_SKIP_MONKEY_PATCH": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("architecture", "contributing"):
        source = (ROOT / f"{name.upper()}.md").read_text("utf-8")
        page = (tmp_path / "inside" / f"{name}.html").read_text("utf-8")
        titles = re.findall(r"^#+ (.+)$", source, re.MULTILINE)
        first = source.partition("\n\n")[2].split()[0].strip("[]")  # the first word below the title
        article = page[page.index("<article") :]
        places = [article.index(text) for text in (titles[0], first, *titles[1:])]
        assert places == sorted(places)
