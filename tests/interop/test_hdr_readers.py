"""The log is read by others' readers, and their figures are ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from support.made_runs import TRUSTED

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.report.hgrm import distribution
from wsload.results import hlog
from wsload.results.reader import open_run
from wsload.results.writer import RunWriter

pytestmark = pytest.mark.xdist_group("hdr-readers")

START = 1732278960.123
ASCII = "".join(map(chr, range(33, 127)))
METRICS = (
    "message",
    "open",
    "message.service",
    "sub first, then",
    f"{ASCII}.lost",
    "Grüße 🙂 100 %",
    "NO TAG",
)
"""Names of every kind: with all of ASCII, and with what would end a tag."""
PERCENTILES = (50, 90, 95, 99, 99.9, 100)
JARS = ("/usr/share/java/hdrhistogram.jar", "/usr/share/java/HdrHistogram.jar")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of metrics between a microsecond and a minute, one second without messages."""
    random = Random(8)
    writer = RunWriter.create(
        tmp_path_factory.mktemp("results"), build="interop", target="", options={}, started_at=START
    )
    for second in range(8):
        histograms = {
            metric: Histogram.of(
                [
                    min(int(random.lognormvariate(14, 2.5)), 60_000_000_000)
                    for _ in range(random.choice((1, 7, 900)))
                ]
            )
            for metric in METRICS
            if (metric, second) != ("message", 3)
        }
        writer.append(Interval(start_s=START + second, length_s=1.0, histograms=histograms))
    writer.finish({}, ended_at=START + 8, trust=TRUSTED)
    return writer.path


def tag_of(metric: str) -> str:
    """What stands in the log for it."""
    line = hlog.line(metric, Histogram.of([1]), offset_ms=0, length_ms=1).decode()
    return line.partition(",")[0].removeprefix("Tag=")


@pytest.fixture(scope="module")
def totals(run: Path) -> Totals:
    return open_run(run).totals()


@pytest.fixture(scope="module")
def java() -> list[str]:
    """The command of the Java tool that processes histogram logs."""
    if not shutil.which("java"):
        pytest.skip("no java on this machine")
    named = os.environ.get("HDRHISTOGRAM_JAR")
    jar = next((jar for jar in (named, *JARS) if jar and Path(jar).is_file()), None)
    if jar is None:
        pytest.skip("no HdrHistogram jar (Debian: libhdrhistogram-java; or name one in HDRHISTOGRAM_JAR)")
    return ["java", "-Duser.timezone=UTC", "-cp", jar, "org.HdrHistogram.HistogramLogProcessor"]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which npm has installed hdr-histogram-js."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no node or no npm on this machine")
    place = tmp_path_factory.mktemp("node")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"]
    try:
        done = subprocess.run(
            [*command, "--prefix", str(place), "hdr-histogram-js@3"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install hdr-histogram-js within a minute")
    if done.returncode:
        pytest.skip(f"npm could not install hdr-histogram-js: {done.stderr.strip()[-200:]}")
    return place


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("csv", [False, True])
def test_java_prints_our_distribution_byte_by_byte(
    java: list[str], run: Path, totals: Totals, metric: str, csv: bool
) -> None:
    command = [*java, "-i", str(run / "histograms.hlog")]
    command += [] if metric == "message" else ["-tag", tag_of(metric)]
    command += ["-csv"] if csv else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout == distribution(totals.histograms[metric], started_at=round(START, 3), csv=csv)


def test_without_messages_java_reads_the_busiest_request_by_default(java: list[str], tmp_path: Path) -> None:
    writer = RunWriter.create(tmp_path, build="x", target="", options={}, started_at=START)
    for second, count in enumerate((0, 9, 2)):
        histograms = {
            "open": Histogram.of([1_000_000]),
            "sub first": Histogram.of([2_000_000] * count),
            "buy": Histogram.of([3_000_000] * min(count, 5)),
        }
        writer.append(Interval(start_s=START + second, length_s=1.0, histograms=histograms))
    writer.close()
    done = subprocess.run(
        [*java, "-i", str(writer.path / "histograms.hlog")], capture_output=True, text=True, check=True
    )
    found = open_run(writer.path).totals().histograms["sub first"]
    assert done.stdout == distribution(found, started_at=round(START, 3))
    assert found.total == 11


def test_java_sees_every_interval_at_its_time(java: list[str], run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    subprocess.run([*java, "-csv", "-i", str(run / "histograms.hlog"), "-o", str(out)], check=True)
    rows = [line.split(",") for line in out.read_text().splitlines() if line[0].isdigit()]
    seconds = [number for number in range(8) if number != 3]
    assert [float(row[0]) for row in rows] == [pytest.approx(number + 1, abs=0.002) for number in seconds]
    intervals = [
        part.histograms["message"] for part in open_run(run).intervals() if "message" in part.histograms
    ]
    assert [int(row[1]) for row in rows] == [histogram.total for histogram in intervals]
    for row, histogram in zip(rows, intervals, strict=True):
        p50, p90 = histogram.percentiles((50, 90))
        found = [float(cell) for cell in row[2:5]]
        assert found == pytest.approx([p50 / 1e6, p90 / 1e6, histogram.max_ns / 1e6], abs=0.00051)


SCRIPT = """
const fs = require("fs"), hdr = require("hdr-histogram-js");
const [log, percentiles] = [process.argv[2], JSON.parse(process.argv[3])];
const content = fs.readFileSync(log, "utf8");
const reader = new hdr.HistogramLogReader(content);
const sums = {}, starts = {};
let histogram;
while ((histogram = reader.nextIntervalHistogram()) != null) {
  const tag = histogram.tag;
  (starts[tag] = starts[tag] || []).push(histogram.startTimeStampMsec);
  if (sums[tag]) sums[tag].add(histogram); else sums[tag] = histogram;
}
const found = { tags: hdr.listTags(content), series: {} };
for (const [tag, sum] of Object.entries(sums))
  found.series[tag] = {
    starts: starts[tag], count: sum.totalCount, mean: sum.mean,
    percentiles: percentiles.map((each) => sum.getValueAtPercentile(each)),
  };
console.log(JSON.stringify(found));
"""


def test_javascript_reads_the_same_figures(modules: Path, run: Path, totals: Totals) -> None:
    """Its own maximum is left aside: it grows by 511 ns with each histogram that is added."""
    script = modules / "read.js"
    script.write_text(SCRIPT)
    done = subprocess.run(
        ["node", str(script), str(run / "histograms.hlog"), json.dumps(PERCENTILES)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert set(found["tags"]) == {"NO TAG", *map(tag_of, METRICS[1:])}
    seconds = {metric: [n for n in range(8) if (metric, n) != ("message", 3)] for metric in METRICS}
    for metric in METRICS:
        tag = "NO TAG" if metric == "message" else tag_of(metric)
        theirs, ours = found["series"][tag], totals.histograms[metric]
        assert theirs["count"] == ours.total
        assert theirs["mean"] == pytest.approx(ours.mean_ns)
        assert theirs["percentiles"] == ours.percentiles(PERCENTILES)
        assert theirs["starts"] == pytest.approx(
            [(START + second) * 1000 for second in seconds[metric]], abs=1
        )
