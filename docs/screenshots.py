"""Makes the README's pictures of reports, by headless Chromium.

    python docs/screenshots.py                      a real run of half a minute: docs/report.png
    python docs/screenshots.py PAGE.html PNG        any report that is there already

Without Chromium it says so and makes nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from wsload.server.process import ServerProcess

DOCS = Path(__file__).parent
WIDTH, HEIGHT = 1280, 1480
MAX_BYTES = 200_000
TIME_LIMIT_S = 60
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
    "--blink-settings=preferredColorScheme=1",
    f"--window-size={WIDTH},{HEIGHT}",
)


def shoot(browser: str, html: Path, png: Path) -> None:
    """Writes the page's upper part as PNG, in its light colours."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        subprocess.run(
            [
                browser,
                *FLAGS,
                f"--user-data-dir={profile}",
                f"--screenshot={png.resolve()}",
                html.resolve().as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=TIME_LIMIT_S,
        )
    size = png.stat().st_size
    print(f"{png}: {size / 1000:.0f} kB")
    if size > MAX_BYTES:
        sys.exit(f"{png} is larger than {MAX_BYTES / 1000:.0f} kB")


def make_run(results: Path) -> Path:
    """The report of 50 users for half a minute, on a server that stalls for 150 ms every 10 s."""
    with ServerProcess("--quiet-roster", "--fault", "stall=150ms/10s") as server:
        options = f"--headless -u 50 -r 25 -t 30s --host {server.url} --ws-rate 200 --ws-build v1.4.0"
        done = subprocess.run(
            [
                sys.executable,
                *("-m", "locust", "-f", str(DOCS.parent / "locustfiles" / "chat.py"), *options.split()),
                *("--ws-results", str(results)),
                *("--ws-check", "message.p50 < 20ms", "--ws-check", "lost < 1"),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        sys.exit(f"no picture was made: the run ended with exit code {done.returncode}\n{done.stdout}")
    return next(results.glob("*/report.html"))


def main(arguments: list[str]) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no picture was made: none of {', '.join(BROWSERS)} is installed")
    elif arguments:
        page, png = arguments
        shoot(browser, Path(page), Path(png))
    else:
        with tempfile.TemporaryDirectory() as results:
            shoot(browser, make_run(Path(results)), DOCS / "report.png")


if __name__ == "__main__":
    main(sys.argv[1:])
