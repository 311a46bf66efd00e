"use strict";
/* The charts of a search for a capacity; the data is what wsload/report/capacity/html.py makes, times in ms. */
(() => {
  const { data, axis, clipped, colour, count, DASHES, dots, draw, figure, logAxis, logScale, nines, ninesAxis, ninesSeries, still, stroke, wide } = charts;
  const PERCENTILES = [["p50", "a", 0], ["p99", "b", 1], ["p99.9", "d", 2]];
  const MARKS = [
    ["p99 where it fails", "g", (step) => (step.outcome === "fails" ? step.p99 ?? step.doubted : null)],
    ["p99, not trusted", "f", (step) => step.doubted],
  ];
  const known = data.sides.filter((side) => side.known);
  let side = known[0];

  const shown = (rate) => (rate == null ? "–" : `${data.users ? count(rate) : figure(rate)}${data.unit}`);
  const rates = () => side.steps.map((step) => step.rate);

  /* The load: a logarithmic axis as long as the steps, with ticks that have room. */
  const loadScale = { time: false, distr: 3, log: 10, range: () => { const all = rates(); return [Math.min(...all) / 1.1, Math.max(...all) * 1.1]; } };
  function loadTicks(low, high) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const step of [1, 1.5, 2, 3, 5, 7]) found.push(step * 10 ** power);
    }
    const inside = found.filter((tick) => tick >= low && tick <= high);
    const most = wide() ? 12 : 5;
    const every = Math.ceil(inside.length / most);
    return inside.filter((tick, index) => index % every === 0);
  }
  const loadAxis = () => axis({
    size: 28, splits: (plot, index, low, high) => loadTicks(low, high), filter: (plot, splits) => splits,
    values: (plot, splits) => splits.map((split) => (data.users ? count(split) : figure(split)).replace(/\.0+$/, "")),
  });
  const loadSeries = { label: "offered", value: (plot, rate, index, place) => (place == null ? "–" : `${shown(rate)}, step ${side.steps[place].number}: ${side.steps[place].outcome}`) };

  /* Between what the capacity lies, with the knee. */
  const border = (plot) => clipped(plot, (ctx, bbox) => {
    const at = (rate) => plot.valToPos(rate, "x", true);
    ctx.fillStyle = colour("outside");
    ctx.fillRect(at(side.low), bbox.top, Math.max(at(side.high) - at(side.low), 2), bbox.height);
    ctx.fillStyle = colour("soft");
    ctx.fillRect(at(side.estimate) - 0.75 * devicePixelRatio, bbox.top, 1.5 * devicePixelRatio, bbox.height);
  });
  const bounds = (plot) => clipped(plot, (ctx, bbox) => {
    ctx.strokeStyle = colour("g");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const { ms } of data.bounds) {
      const y = plot.valToPos(ms, "y", true);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.setLineDash([]);
  });

  const line = (label, name, value, more) => ({
    label, stroke: stroke(name), width: 2, spanGaps: true, value: (plot, found) => value(found),
    points: { show: true, size: 5, width: 0, fill: stroke(name) }, ...more,
  });
  const hollow = { size: 11, width: 2, fill: "transparent" };

  function latency() {
    const lines = PERCENTILES.filter(([name]) => side.steps.some((step) => step[name]));
    const marks = MARKS.filter(([, , of]) => side.steps.some(of));
    const columns = [...lines.map(([name]) => side.steps.map((step) => step[name])), ...marks.map(([, , of]) => side.steps.map(of))];
    const within = {
      ...logScale,
      range: (plot, low, high) => {
        const limits = data.bounds.map(({ ms }) => ms);
        return logScale.range(plot, Math.min(low ?? 1, ...limits), Math.max(high ?? 1, ...limits));
      },
    };
    draw("latency", {
      padding: [8, 22, 0, 0],
      scales: { x: loadScale, y: within },
      cursor: { ...still, sync: { key: "load" } },
      axes: [loadAxis(), logAxis("")],
      series: [
        loadSeries,
        ...lines.map(([name, shade, dash]) => line(name, shade, figure, { dash: DASHES[dash] })),
        ...marks.map(([label, shade]) => dots(label, shade, figure, "-hollow", hollow)),
      ],
      hooks: { drawAxes: [border], draw: [bounds] },
    }, [rates(), ...columns], wide() ? 340 : 280);
  }

  function answered() {
    const columns = [side.steps.map((step) => step.achieved)];
    const series = [line("answered", "a", (value) => (value == null ? "–" : `${figure(value)}/s`))];
    if (!data.users) {
      columns.push(rates());
      series.push(line("offered", "f", (value) => (value == null ? "–" : `${figure(value)}/s`), { width: 1, dash: DASHES[1], points: { show: false } }));
    }
    draw("answered", {
      padding: [8, 22, 0, 0],
      scales: { x: loadScale, y: logScale },
      cursor: { ...still, sync: { key: "load" } },
      axes: [loadAxis(), logAxis("")],
      series: [loadSeries, ...series],
      hooks: { drawAxes: [border] },
    }, [rates(), ...columns], wide() ? 220 : 190);
  }

  /* Every step's distribution: what holds in one colour, from light to full with the load; what fails in another. */
  function curves() {
    const steps = side.steps.filter((step) => step.curve);
    if (!steps.length) return;
    const joined = uPlot.join(steps.map((step) => [step.curve.at.map(nines), step.curve.ms]));
    const shade = (step, index) => {
      const alike = steps.filter((other) => other.outcome === step.outcome);
      const share = (alike.indexOf(step) + 1) / alike.length;
      const part = Math.round(70 + 185 * share).toString(16).padStart(2, "0");
      return () => `${colour(step.outcome === "fails" ? "g" : "a")}${part}`;
    };
    draw("curves", {
      padding: [8, 36, 0, 0],
      scales: { x: { time: false }, y: logScale },
      cursor: still,
      axes: [ninesAxis(), logAxis("")],
      series: [
        ninesSeries,
        ...steps.map((step, index) => ({
          label: `${shown(step.rate)}${step.outcome === "fails" ? " (fails)" : ""}`, stroke: shade(step, index),
          dash: step.outcome === "fails" ? DASHES[1] : [], width: 1.5, spanGaps: true, points: { show: false },
          value: (plot, value) => figure(value),
        })),
      ],
      hooks: { draw: [bounds] },
    }, joined, wide() ? 320 : 270);
  }

  const redraw = charts.start(() => {
    if (!side) return;
    document.getElementById("over-load").hidden = false;
    for (const id of ["latency", "answered", "curves"]) document.getElementById(id).hidden = true;
    latency();
    if (side.steps.some((step) => step.achieved)) answered();
    curves();
  });

  const choice = document.getElementById("side");
  known.forEach((each, index) => choice.append(new Option(each.name, String(index))));
  choice.closest("label").hidden = known.length < 2;
  choice.addEventListener("change", () => { side = known[Number(choice.value)]; redraw(); });
})();
