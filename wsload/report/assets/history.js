"use strict";
/* Runs build by build; the data is what wsload/report/history.py makes, times in ms. */
(() => {
  const { data, axis, colour, dots, draw, figure, logAxis, logScale, still, stroke, wide } = charts;
  const COLOURS = { p50: "a", p99: "b" };
  let metric = data.metrics[0];

  /* Each build has a stretch of the axis as long as it has runs, and half a run's room at its ends. */
  const stretches = [];
  const runs = [];
  for (const build of data.builds) {
    const from = stretches.length ? stretches[stretches.length - 1].to : 0;
    stretches.push({ build, from, to: from + build.runs.length });
    build.runs.forEach((run, index) => runs.push({ ...run, build: build.build, at: from + index + 0.5 }));
  }
  const end = runs.length;

  /* Names in the middle of their stretch, cut to what fits, left out where nothing does. */
  function names(plot, splits) {
    return splits.map((split, index) => {
      const { build, from, to } = stretches[index];
      const room = Math.floor((plot.valToPos(to, "x") - plot.valToPos(from, "x")) / 7) - 1;
      if (room >= build.build.length) return build.build;
      return room >= 4 ? `${build.build.slice(0, room - 1)}…` : "";
    });
  }

  function under(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("grid");
    for (const { from } of stretches.slice(1)) {
      const x = Math.round(plot.valToPos(from, "x", true));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.lineWidth = 2 * devicePixelRatio;
    for (const { build, from, to } of stretches) {
      for (const statistic of ["p50", "p99"]) {
        const median = build[statistic][metric];
        if (!median) continue;
        const y = plot.valToPos(median, "y", true);
        const inset = Math.min(0.12, (to - from) / 8);
        ctx.strokeStyle = colour(COLOURS[statistic]);
        ctx.globalAlpha = 0.55;
        ctx.beginPath();
        ctx.moveTo(plot.valToPos(from + inset, "x", true), y);
        ctx.lineTo(plot.valToPos(to - inset, "x", true), y);
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  function points(statistic, trusted) {
    const name = COLOURS[statistic];
    const [label, kind] = trusted ? [statistic, ""] : [`${statistic}, not trusted`, "-hollow"];
    return dots(label, name, figure, kind, { size: 7, width: 1.5, fill: stroke(trusted ? name : "ground") });
  }
  const column = (statistic, trusted) => runs.map((run) => (run.trusted === trusted ? run[statistic][metric] || null : null));

  function history() {
    const doubtful = runs.some((run) => !run.trusted);
    const series = [points("p50", true), points("p99", true)];
    const columns = [column("p50", true), column("p99", true)];
    if (doubtful) {
      series.push(points("p50", false), points("p99", false));
      columns.push(column("p50", false), column("p99", false));
    }
    draw("history", {
      scales: { x: { time: false, range: [0, end] }, y: logScale },
      cursor: { ...still, points: { show: false } },
      axes: [
        axis({
          size: 28, grid: { show: false }, ticks: { show: false },
          splits: () => stretches.map(({ from, to }) => (from + to) / 2), filter: (plot, splits) => splits, values: names,
        }),
        logAxis(""),
      ],
      series: [
        { label: "run", value: (plot, at, series, index) => (index == null ? "–" : `${runs[index].build}, ${runs[index].when}`) },
        ...series,
      ],
      hooks: { drawAxes: [under] },
    }, [runs.map((run) => run.at), ...columns], wide() ? 340 : 280);
  }

  if (!metric) return;
  document.getElementById("over-builds").hidden = false;
  const redraw = charts.start(history);
  const choice = document.getElementById("metric");
  for (const name of data.metrics) choice.append(new Option(name, name));
  choice.addEventListener("change", () => { metric = choice.value; redraw(); });
})();
