"""tsung being measured: its load is an XML file, and all of it runs in one Erlang VM.

The VM is started as the ``tsung`` command does it, but without a node name, the web server and ssh: then it needs no
epmd, and nothing listens. The started process becomes the VM, so its CPU time is tsung's.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.processes import Process


class Tsung(Process):
    """Starts ``program`` with so many users, each of which sends a message as soon as the one before has come back.

    With ``pause_s`` a user waits that long before each message, and every response time is kept. It ends by itself
    after so many seconds.
    """

    def __init__(
        self,
        program: Path,
        *,
        url: str,
        users: int,
        size: int,
        directory: Path,
        pause_s: float | None = None,
        seconds: int = 600,
    ) -> None:
        prefix = program.parent.parent
        self._logs = Path(tempfile.mkdtemp(prefix="tsung-", dir=directory))
        file = self._logs / "load.xml"
        dtd = prefix / "share/tsung/tsung-1.0.dtd"
        file.write_text(load(dtd, url=url, users=users, size=size, pause_s=pause_s, seconds=seconds))
        # Debian has a folder for each architecture between the two.
        code = [path for lib in ("lib*", "lib/*") for path in prefix.glob(f"{lib}/tsung/tsung*/ebin")]
        settings = {"config_file": str(file), "log_dir": f"{self._logs}/", "mon_file": "tsung.log"}
        super().__init__(
            *(
                program.with_name("erl"),
                "-noinput",
                "+A",
                8,
                "+K",
                "true",
                "-pa",
                *code,
                "-s",
                "tsung_controller",
            ),
            *("-tsung_controller", "web_gui", "false", "warm_time", 0),
            *(word for name, value in settings.items() for word in (name, json.dumps(value))),
            directory=directory,
            name="tsung",
        )

    def response_times_ms(self) -> list[float]:
        """All that were kept, sorted; those of the opening handshakes are among them."""
        (found,) = self._logs.glob("*/tsung-fullstats.log")
        return response_times_ms(found.read_text())


def load(dtd: Path, *, url: str, users: int, size: int, pause_s: float | None, seconds: int) -> str:
    """The file for tsung; it is held to the DTD, which comes with tsung."""
    server = urlsplit(url)
    # Users come in a tenth of a second. Above its maximum of users, tsung starts another VM by ssh.
    return f"""<?xml version="1.0"?>
<!DOCTYPE tsung SYSTEM "{dtd}">
<tsung backend="{"fullstats" if pause_s else "text"}">
  <clients><client host="localhost" use_controller_vm="true" maxusers="{2 * users}"/></clients>
  <servers><server host="{server.hostname}" port="{server.port}" type="tcp"/></servers>
  <load duration="{seconds}" unit="second">
    <arrivalphase phase="1" duration="{seconds}" unit="second">
      <users maxnumber="{users}" arrivalrate="{10 * users}" unit="second"/>
    </arrivalphase>
  </load>
  <sessions>
    <session name="echo" probability="100" type="ts_websocket">
      <request><websocket type="connect" path="{server.path}"/></request>
      <for var="number" from="1" to="1000000000">
        {f'<thinktime value="{pause_s:g}"/>' if pause_s else ""}
        <request><websocket type="message" frame="text">{"x" * size}</websocket></request>
      </for>
    </session>
  </sessions>
</tsung>
"""


def response_times_ms(fullstats: str) -> list[float]:
    """The response times in a log of the backend ``fullstats``, which are Erlang terms, sorted."""
    lists = re.findall(r"\{sample,request,\s*\[([^\]]*)\]\}", fullstats)
    return sorted(float(word) for each in lists for word in each.split(",") if word.strip())
