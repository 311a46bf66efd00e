"""The load generator's machine and software, as far as they affect its figures."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

PACKAGES: Final = ("wsload", "locust", "websockets", "uvloop", "orjson", "numpy", "hdrhistogram")

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_CLOCK_OFFSETS: Final = Path("/proc/self/timens_offsets")
"""A container with its own time namespace has a shifted monotonic clock."""
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def own_version() -> str:
    """The installed version of wsload; empty if it was not installed."""
    return versions().get("wsload", "")


def versions() -> dict[str, str]:
    """The installed versions by package, read from metadata without importing anything."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe_host() -> dict[str, object]:
    """The machine: ``cpu`` model, ``cores`` available to this process, ``memory_bytes``, ``system``, ``python``."""
    return {
        "cpu": _cpu_model(),
        "cores": _cores(),
        "memory_bytes": _memory_bytes(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}".strip(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


@cache
def clock_id() -> str:
    """Eight characters of ``[0-9a-z]``, the same in all processes that share a monotonic clock.

    Derived from the boot id, because the monotonic clock starts at boot. On systems without one each process gets its
    own id, and deliveries between processes are not timed.
    """
    boot = _boot_id() or secrets.token_hex(16)
    number = int.from_bytes(hashlib.sha256(boot.encode()).digest()[:8], "big")
    characters = []
    for _ in range(8):
        number, digit = divmod(number, len(_DIGITS))
        characters.append(_DIGITS[digit])
    return "".join(characters)


def _boot_id() -> str:
    try:
        boot = _BOOT_ID.read_text().strip()
    except OSError:
        return _sysctl("kern.bootsessionuuid")
    try:
        return " ".join([boot, *_CLOCK_OFFSETS.read_text().split()])
    except OSError:  # a kernel without time namespaces
        return boot


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in {"model name", "Model"}:
                return value.strip()
    except OSError:
        return _sysctl("machdep.cpu.brand_string") or platform.processor()
    return platform.processor() or platform.machine()


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _sysctl(name: str) -> str:
    """A sysctl value of macOS; empty elsewhere."""
    if platform.system() != "Darwin":
        return ""
    done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False, timeout=5)
    return done.stdout.strip()
