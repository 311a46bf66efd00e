"use strict";
/* The charts of a comparison; the data is what wsload/report/comparison/html.py makes, times in ms. */
(() => {
  const { data, axis, clipped, colour, dots, draw, figure, logAxis, nines, ninesAxis, ninesSeries, still, stroke, wide } = charts;
  const COLOURS = { A: "a", B: "b" };
  const SMALL = { size: 7, width: 1.5 };
  const LARGE = { size: 11, width: 1.5 };
  const metrics = [...new Set([...Object.keys(data.curves), ...data.runs.flatMap((run) => Object.keys(run.values))])];
  let metric = metrics.includes("message") ? "message" : metrics[0];

  /* A ratio as the tables show it: the same rules as in wsload/words.py. */
  function change(ratio) {
    if (ratio == null) return "–";
    if (ratio <= 0.001 || ratio >= 1000) return ratio > 1 ? ">×1000" : "<×0.001";
    if (ratio <= 0.2 || ratio >= 5) return `×${Number(ratio.toPrecision(3))}`;
    const shown = Math.abs(100 * (ratio - 1)).toFixed(1);
    return Number(shown) ? `${ratio < 1 ? "-" : "+"}${shown} %` : "0 %";
  }
  const translucent = (name) => `${colour(name)}38`;

  /* Ratios: a logarithmic axis about 1, as long as it has to be. */

  function ratioRange(values) {
    const found = values.filter((value) => value > 0);
    const low = Math.min(1 / (1 + 2 * data.gate), ...found);
    const high = Math.max(1 + 2 * data.gate, ...found);
    const room = (high / low) ** 0.06;
    return [Math.max(low / room, 1e-3), Math.min(high * room, 1e3)];
  }
  const RATIOS = [0.001, 0.01, 0.1, 0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1, 1.01, 1.02, 1.05, 1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2, 3, 5, 7, 10, 20, 50, 100, 1000];
  function ratioTicks(low, high, most) {
    const inside = RATIOS.filter((ratio) => ratio >= low && ratio <= high);
    const span = Math.log(high / low);
    const kept = inside.includes(1) ? [1] : [];
    for (const ratio of inside.slice().sort((one, other) => Math.abs(Math.log(one)) - Math.abs(Math.log(other))).reverse()) {
      if (kept.every((other) => Math.abs(Math.log(ratio / other)) > span / most)) kept.push(ratio);
    }
    return kept.sort((one, other) => one - other);
  }
  const ratioLabel = (ratio) => (ratio === 1 ? "0 %" : ratio > 0.2 && ratio < 2 ? `${ratio < 1 ? "-" : "+"}${Number(Math.abs(100 * (ratio - 1)).toFixed(1))} %` : `×${ratio}`);

  /* One line a statistic: where its change lies, with its bounds. */

  const shortened = (name) => {
    const most = wide() ? 50 : 17;
    return name.length > most ? `${name.slice(0, most - 7)}…${name.slice(-6)}` : name;
  };

  function forest() {
    const rows = data.judged;
    if (!rows.length) return;
    const range = ratioRange(rows.flatMap((row) => [row.low, row.ratio, row.high]));
    const shade = { slower: "g", faster: "c", "not slower": "f", inconclusive: "b" };
    function paint(plot) {
      clipped(plot, (ctx, bbox) => {
        const at = (ratio) => plot.valToPos(ratio, "x", true);
        ctx.fillStyle = colour("grid");
        ctx.fillRect(at(1 / (1 + data.gate)), bbox.top, at(1 + data.gate) - at(1 / (1 + data.gate)), bbox.height);
        ctx.fillStyle = colour("soft");
        ctx.fillRect(at(1) - 0.5 * devicePixelRatio, bbox.top, devicePixelRatio, bbox.height);
        rows.forEach((row, index) => {
          const y = plot.valToPos(rows.length - 1 - index, "y", true);
          ctx.strokeStyle = ctx.fillStyle = colour(shade[row.verdict]);
          ctx.lineWidth = 2 * devicePixelRatio;
          if (row.low != null) {
            ctx.beginPath();
            ctx.moveTo(at(row.low), y);
            ctx.lineTo(at(row.high), y);
            ctx.stroke();
          }
          ctx.beginPath();
          ctx.arc(at(row.ratio), y, 4.5 * devicePixelRatio, 0, 2 * Math.PI);
          ctx.fill();
        });
      });
    }
    const plot = draw("forest", {
      scales: { x: { time: false, distr: 3, range: () => range }, y: { range: () => [-0.6, rows.length - 0.4] } },
      cursor: { show: false },
      legend: { show: false },
      axes: [
        axis({ splits: (plot) => ratioTicks(range[0], range[1], Math.min(9, plot.bbox.width / devicePixelRatio / 75)), filter: (plot, splits) => splits, values: (plot, splits) => splits.map(ratioLabel) }),
        axis({
          size: Math.max(98, 6.6 * Math.max(...rows.map((row) => shortened(row.name).length))), grid: { show: false }, ticks: { show: false }, filter: (plot, splits) => splits,
          splits: () => rows.map((row, index) => rows.length - 1 - index), values: () => rows.map((row) => shortened(row.name)),
        }),
      ],
      series: [{}, { width: 0, paths: () => null, points: { show: false } }],
      hooks: { draw: [paint] },
    }, [rows.map((row) => row.ratio), rows.map((row, index) => rows.length - 1 - index)], 24 * rows.length + 46,
    rows.map((row) => `${row.name}: ${change(row.ratio)}${row.low == null ? "" : `, between ${change(row.low)} and ${change(row.high)}`}, ${row.verdict}`).join("; "));
    return plot;
  }

  /* By percentile. */

  const line = (label, name, value, dash = []) => ({
    label, stroke: stroke(name), width: 2, dash, points: { show: false }, value: (plot, found) => value(found),
  });
  const edge = (label) => ({
    label, class: "edge", width: 0, stroke: "transparent", points: { show: false }, value: (plot, value) => change(value),
  });
  /* From a little below the lowest to a little above the highest. */
  const tight = { distr: 3, log: 10, range: (plot, low, high) => (low == null ? [0.1, 10] : [low / 1.1, high * 1.1]) };

  function curves() {
    const found = data.curves[metric];
    const many = data.runs.filter((run) => run.used).length > 2;
    const plot = draw("curves", {
      scales: { x: { time: false }, y: tight },
      cursor: { ...still, sync: { key: "percentiles" } },
      axes: [ninesAxis(), logAxis("")],
      bands: many ? [
        { series: [2, 1], fill: () => translucent("a") },
        { series: [4, 3], fill: () => translucent("b") },
      ] : [],
      series: [
        ninesSeries,
        edge("A from"), edge("A to"), edge("B from"), edge("B to"),
        line(`A ${data.names.A === "A" ? "" : data.names.A}`, "a", figure),
        line(`B ${data.names.B === "B" ? "" : data.names.B}`, "b", figure, charts.DASHES[1]),
      ],
    }, [found.at.map(nines), found.aLow, found.aHigh, found.bLow, found.bHigh, found.a, found.b], wide() ? 320 : 270);
    // The bands' edges are no lines of their own: their legends would only be noise.
    [...plot.root.querySelectorAll(".u-legend .u-series")].slice(1, 5).forEach((row) => row.remove());
  }

  function ratio() {
    const found = data.curves[metric];
    const range = ratioRange([...found.low, ...found.ratio, ...found.high]);
    const gate = (plot) => clipped(plot, (ctx, bbox) => {
      const at = (value) => plot.valToPos(value, "y", true);
      ctx.fillStyle = colour("grid");
      ctx.fillRect(bbox.left, at(1 + data.gate), bbox.width, at(1 / (1 + data.gate)) - at(1 + data.gate));
      ctx.fillStyle = colour("soft");
      ctx.fillRect(bbox.left, at(1) - 0.5 * devicePixelRatio, bbox.width, devicePixelRatio);
    });
    draw("ratio", {
      scales: { x: { time: false }, y: { distr: 3, range: () => range } },
      cursor: { ...still, sync: { key: "percentiles" } },
      axes: [
        ninesAxis(),
        axis({ size: charts.AXIS_WIDTH, grid: { show: false }, splits: () => ratioTicks(range[0], range[1], 7), filter: (plot, splits) => splits, values: (plot, splits) => splits.map(ratioLabel) }),
      ],
      bands: [{ series: [2, 1], fill: () => translucent("d") }],
      series: [
        ninesSeries,
        edge("from"), edge("to"),
        line("change", "d", change),
      ],
      hooks: { drawAxes: [gate] },
    }, [found.at.map(nines), found.low, found.high, found.ratio], wide() ? 240 : 220);
  }

  /* Each pair's ratios as two points. */

  function pairs() {
    const values = Object.fromEntries(data.runs.map((run) => [run.name, run.values[metric] || {}]));
    const ratios = (statistic) => data.pairs.map(([a, b]) => (values[b][statistic] / values[a][statistic]) || null);
    const columns = [ratios("p50"), ratios("p99")];
    const range = ratioRange(columns.flat());
    const nothing = (plot) => clipped(plot, (ctx, bbox) => {
      ctx.fillStyle = colour("soft");
      ctx.fillRect(bbox.left, plot.valToPos(1, "y", true) - 0.5 * devicePixelRatio, bbox.width, devicePixelRatio);
    });
    draw("pairs", {
      scales: { x: { time: false, range: [0.4, data.pairs.length + 0.6] }, y: { distr: 3, range: () => range } },
      cursor: { ...still, points: { show: false } },
      axes: [
        axis({ grid: { show: false }, space: 26, incrs: [1, 2, 5, 10, 20, 50, 100] }),
        axis({ size: charts.AXIS_WIDTH, splits: () => ratioTicks(range[0], range[1], 7), filter: (plot, splits) => splits, values: (plot, splits) => splits.map(ratioLabel) }),
      ],
      series: [{ label: "pair", value: (plot, at) => at ?? "–" }, dots("p50", "d", change, "", SMALL), dots("p99", "d", change, "-large", LARGE)],
      hooks: { drawAxes: [nothing] },
    }, [data.pairs.map((pair, index) => index + 1), ...columns], wide() ? 220 : 200);
  }

  /* Both sides of each pair on one time axis. */

  function seconds() {
    const found = data.seconds[metric];
    const steady = (label, name, dash = []) => ({ ...line(label, name, figure, dash), spanGaps: false });
    const named = (place) => (place == null ? "–" : `pair ${found.pair[place]}`);
    draw("seconds", {
      scales: { x: { time: false }, y: tight },
      cursor: still,
      axes: [axis({ grid: { show: false }, values: (plot, splits) => splits.map((split) => charts.clock(split)) }), logAxis("")],
      series: [
        { label: "time", value: (plot, at, index, place) => (place == null ? "–" : `${charts.clock(at)}, ${named(place)}`) },
        steady("A p50", "a"), steady("B p50", "b"),
        steady("A p99", "a", charts.DASHES[1]), steady("B p99", "b", charts.DASHES[1]),
      ],
    }, [found.at, found.a50, found.b50, found.a99, found.b99], wide() ? 260 : 230);
  }

  /* Every run as two points: a small one for p50, a large one for p99. */

  function order() {
    const column = (side, statistic, used) => data.runs.map((run) => (
      run.side === side && run.used === used && run.values[metric] ? run.values[metric][statistic] || null : null));
    const series = [];
    const columns = [];
    for (const side of ["A", "B"]) {
      for (const [statistic, size] of [["p50", SMALL], ["p99", LARGE]]) {
        for (const used of [true, false]) {
          const found = column(side, statistic, used);
          if (!found.some((value) => value)) continue;
          const kind = `${size === LARGE ? "-large" : ""}${used ? "" : "-hollow"}`;
          const fill = stroke(used ? COLOURS[side] : "ground");
          series.push(dots(`${side} ${statistic}${used ? "" : ", not used"}`, COLOURS[side], figure, kind, { ...size, fill }));
          columns.push(found);
        }
      }
    }
    const numbers = data.runs.map((run, index) => index + 1);
    draw("order", {
      scales: { x: { time: false, range: [0.4, data.runs.length + 0.6] }, y: tight },
      cursor: { ...still, points: { show: false } },
      axes: [
        axis({
          grid: { show: false }, space: 26, incrs: [1, 2, 5, 10, 20, 50, 100],
          values: (plot, splits) => splits.map((split) => (data.runs[split - 1] ? `${split} ${data.runs[split - 1].side}` : "")),
        }),
        logAxis(""),
      ],
      series: [
        { label: "run", value: (plot, at, index, place) => (place == null ? "–" : `${at} ${data.runs[place].name}`) },
        ...series,
      ],
    }, [numbers, ...columns], wide() ? 260 : 230);
  }

  const redraw = charts.start(() => {
    forest();
    if (!metric) return;
    document.getElementById("by-metric").hidden = false;
    const drawn = {
      curves: data.curves[metric], ratio: data.curves[metric], seconds: data.seconds[metric],
      pairs: data.pairs.length > 1 && data.runs.some((run) => run.values[metric]),
    };
    for (const [id, there] of Object.entries(drawn)) document.getElementById(id).hidden = !there;
    if (data.curves[metric]) {
      curves();
      ratio();
    }
    if (drawn.pairs) pairs();
    if (drawn.seconds) seconds();
    order();
  });

  const choice = document.getElementById("metric");
  for (const name of metrics) choice.append(new Option(name, name, false, name === metric));
  choice.closest("label").hidden = metrics.length < 2;
  choice.addEventListener("change", () => { metric = choice.value; redraw(); });
})();
