"use strict";
/* The charts of a run; the data is what wsload/report/chart_data.py makes, times in ms. */
(() => {
  const { data, axis, clipped, clock, colour, count, DASHES, dots, draw, figure, logAxis, logScale, nines, ninesAxis, ninesSeries, still, stroke, wide, zeroAxis, zeroScale, WHOLE } = charts;
  const COLOURS = ["d", "e", "g", "f"];
  const OWN = { delivery: "c", probe: "h" };
  const PARTS = { "": "a", ".service": "b", ".lost": "g", ".failed": "d" };
  const GROUPS = { request: "Requests", step: "Steps", value: "Values" };
  const slots = data.at.length;
  const middles = data.at.map((at) => at + data.width / 2);
  const end = slots ? data.at[slots - 1] + data.width : 1;
  const named = new Set(data.names.map(({ name }) => name));
  const partsOf = (name) => Object.keys(PARTS).map((part) => name + part);
  const parts = new Set([...named].flatMap(partsOf));
  /* wsload's own metrics: those that are no part of what user classes named. */
  const own = Object.keys(data.curves).filter((metric) => !parts.has(metric));
  const choices = [...named, ...own.filter((metric) => data.tracks[metric])];
  let chosen = data.leading || choices[0];

  function percentiles() {
    const colours = named.has(chosen) ? Object.fromEntries(partsOf(chosen).map((metric, at) => [metric, Object.values(PARTS)[at]])) : { [chosen]: "a" };
    const metrics = [...Object.keys(colours), ...own.filter((metric) => !(metric in colours))].filter((metric) => data.curves[metric]);
    if (!metrics.length) return;
    const shown = new Set([chosen, `${chosen}.service`, ...Object.keys(OWN)]);
    const others = metrics.filter((metric) => !(metric in colours || metric in OWN));
    const joined = uPlot.join(metrics.map((metric) => [data.curves[metric].at.map(nines), data.curves[metric].ms]));
    draw("percentiles", {
      padding: [8, 36, 0, 0],
      scales: { x: { time: false }, y: logScale },
      cursor: still,
      axes: [ninesAxis(), logAxis("")],
      series: [
        ninesSeries,
        ...metrics.map((metric) => ({
          label: metric,
          stroke: stroke(colours[metric] || OWN[metric] || COLOURS[others.indexOf(metric) % COLOURS.length]),
          dash: DASHES[metrics.indexOf(metric) % DASHES.length],
          width: metric === chosen ? 2.5 : 1.5,
          show: shown.has(metric),
          spanGaps: true,
          points: { show: false },
          value: (plot, value) => figure(value),
        })),
      ],
    }, joined, wide() ? 340 : 280);
  }

  /* Over time: all charts share the axis, the cursor and the zoom. */

  const shadeInterruptions = (plot) => clipped(plot, (ctx, { top, height }) => {
    for (const [shade, stretches] of [["outside", data.outside], ["shade", data.interruptions]]) {
      ctx.fillStyle = colour(shade);
      for (const [from, to] of stretches) {
        const x = plot.valToPos(from, "x", true);
        ctx.fillRect(x, top, Math.max(plot.valToPos(to, "x", true) - x, 2), height);
      }
    }
  });

  const middlesEnd = slots ? middles[slots - 1] : 1;
  const timeScale = {
    time: false,
    range: (plot, low, high) => (low == null || (low <= middles[0] && high >= middlesEnd) ? [0, end] : [low, high]),
  };
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800];
  const timeAxis = () => axis({ size: 28, space: 64, incrs: STEPS, values: (plot, splits) => splits.map(clock) });

  /* Zoom and move by the keyboard, all charts at once. */
  const ZOOMS = { "+": [0.25, -0.25], "=": [0.25, -0.25], "-": [-0.5, 0.5], ArrowLeft: [-0.2, -0.2], ArrowRight: [0.2, 0.2] };
  function byKeyboard(plot, event) {
    const { min, max } = plot.scales.x;
    const zoom = event.key === "0" ? [-Infinity, Infinity] : ZOOMS[event.key];
    if (!zoom || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    let [low, high] = zoom.map((part, side) => [min, max][side] + part * (max - min));
    const past = Math.max(0 - low, 0) || Math.min(end - high, 0);
    if (event.key.startsWith("Arrow")) [low, high] = [low + past, high + past];
    for (const each of uPlot.sync("time").plots) each.setScale("x", { min: Math.max(low, 0), max: Math.min(high, end) });
  }

  function overTime(id, { series, columns, y, yAxis, height, hooks = {}, cursor = {}, words }) {
    const plot = draw(id, {
      scales: { x: timeScale, y },
      cursor: { y: false, sync: { key: "time" }, points: { size: 6 }, ...cursor },
      axes: [timeAxis(), yAxis],
      series: [{ label: "time", value: (plot, at) => (at == null ? "–" : clock(at - data.width / 2)) }, ...series],
      hooks: { drawClear: [shadeInterruptions], ...hooks },
    }, [middles, ...columns], height, words);
    plot.over.tabIndex = 0;
    plot.over.setAttribute("role", "group");
    plot.over.setAttribute("aria-label", "Zoom with + and −, move with the arrows, 0 for the whole run");
    plot.over.addEventListener("keydown", (event) => byKeyboard(plot, event));
    return plot;
  }

  const line = (label, name, show, more) => ({
    label, stroke: stroke(name), width: 1.5, points: { show: slots < 2 }, value: (plot, value) => show(value), ...more,
  });
  const dot = (label, name, show) => dots(label, name, show, "", { size: 3.5, width: 0 });

  function latency() {
    const [track, service] = [data.tracks[chosen], data.tracks[`${chosen}.service`]];
    document.getElementById("latency").hidden = !track;
    if (!track) return;
    const series = [line("p50", "a", figure), line("p99", "b", figure), line("p99.9", "g", figure, { dash: DASHES[1] }), dot("max", "f", figure)];
    const off = { show: false, dash: DASHES[2] };
    if (service) series.push(line("service p50", "c", figure, off), line("service p99", "d", figure, off));
    overTime("latency", {
      series, columns: service ? [...track, service[0], service[1]] : track,
      y: logScale, yAxis: logAxis(""), height: wide() ? 280 : 240,
    });
  }

  function profile() {
    if (!data.profile) return;
    const found = [[line("asked for", "b", figure, { dash: DASHES[1] }), data.profile]];
    if (data.rates.sent) found.unshift([line("sent", "a", figure), data.rates.sent]);
    small("profile", found, "");
  }

  function unanswered() {
    const found = [["lost", "g"], ["failed", "b"]].filter(([part]) => data.unanswered[`${chosen}.${part}`]);
    document.getElementById("unanswered").hidden = !found.length;
    if (found.length) stacked("unanswered", found.map(([part, colour]) => [part, colour, data.unanswered[`${chosen}.${part}`]]));
  }

  function levels() {
    const { users, connections } = data.levels;
    const found = [];
    if (connections) found.push([line("connections", "a", count), connections]);
    if (users) found.push([line("users", "b", count, { dash: DASHES[1] }), users]);
    small("levels", found, "", { incrs: WHOLE });
  }

  function rates() {
    const { sent, answered, delivered } = data.rates;
    const found = [];
    if (answered) found.push([line("answered", "a", figure), answered]);
    if (sent) found.push([line("sent", "b", figure, { dash: DASHES[1] }), sent]);
    if (delivered) found.push([line("delivered to others", "c", figure, { show: !answered }), delivered]);
    small("rates", found, "");
  }

  function cpu() {
    if (data.rates.cpu) {
      small("cpu", [[line("CPU", "a", (value) => (value == null ? "–" : `${Number(value.toFixed(1))} %`)), data.rates.cpu.map((rate) => (rate == null ? null : rate / 1e7))]], " %");
    }
  }

  function small(id, found, unit, more) {
    if (!found.length) return;
    overTime(id, {
      series: found.map(([series]) => series), columns: found.map(([, column]) => column),
      y: zeroScale, yAxis: zeroAxis(unit, more), height: wide() ? 130 : 120,
    });
  }

  /* Bars, each from zero to the sum of itself and those below, the highest first; label, colour and counts of each. */
  function stacked(id, bars, more = []) {
    const paths = uPlot.paths.bars({ size: [1, 40], gap: slots > 200 ? 0 : 1 });
    const sums = bars.map((bar, index) => middles.map((at, slot) => bars.slice(index).reduce((sum, [, , counts]) => sum + counts[slot], 0) || null));
    overTime(id, {
      series: [
        ...bars.map(([label, name, counts]) => ({
          label, stroke: stroke(name), fill: stroke(name), width: 0, paths, points: { show: false },
          value: (plot, value, series, slot) => (slot == null ? "–" : count(counts[slot])),
        })),
        ...more.map(([series]) => series),
      ],
      columns: [...sums, ...more.map(([, column]) => column)],
      y: zeroScale, yAxis: zeroAxis("", { incrs: WHOLE }), height: wide() ? 150 : 130,
    });
  }

  function failures() {
    const back = data.reconnects.some((number) => number) ? data.reconnects.map((number) => number || null) : null;
    if (!data.failures.length && !back) return;
    const bars = data.failures.map(({ kind, counts }, index) => [kind, ["g", "b", "d", "e", "h", "f"][index], counts]);
    stacked("failures", bars, back ? [[dot("reconnects", "c", (value, slot) => (slot == null ? "–" : count(value || 0))), back]] : []);
  }

  /* The heat map: cells of time and log latency, coloured by the logarithm of their count. */

  function heat() {
    const found = data.heat[chosen];
    document.getElementById("heat").hidden = !found;
    if (!found) return;
    let [lowest, highest, most] = [Infinity, -Infinity, 1];
    for (const [row, ...counts] of found.columns) {
      lowest = Math.min(lowest, row);
      highest = Math.max(highest, row + counts.length);
      most = Math.max(most, ...counts);
    }
    const edge = (row) => 10 ** (row / data.rows) / 1e6;
    const inRow = new Map();
    for (const [row, ...counts] of found.columns) counts.forEach((number, above) => inRow.set(row + above, (inRow.get(row + above) || 0) + number));
    const [busiest] = [...inRow].reduce((one, other) => (other[1] > one[1] ? other : one), [lowest, 0]);
    const words = `${chosen}: ${count([...inRow.values()].reduce((sum, number) => sum + number, 0))} values from ${figure(edge(lowest))} to ${figure(edge(highest))} ms, most often between ${figure(edge(busiest))} and ${figure(edge(busiest + 1))} ms.`;
    const ramp = shades();
    const readout = document.createElement("p");
    readout.className = "readout";
    const scale = document.createElement("span");
    const bar = document.createElement("span");
    bar.className = "ramp";
    scale.append("1 ", bar, ` ${count(most)} values`);
    const told = document.createElement("span");
    readout.append(scale, told);

    const cells = (plot) => clipped(plot, (ctx) => {
      found.at.forEach((at, index) => {
        const left = Math.round(plot.valToPos(at, "x", true));
        const width = Math.max(Math.round(plot.valToPos(at + found.width, "x", true)) - left, 1);
        const [row, ...counts] = found.columns[index];
        counts.forEach((number, above) => {
          if (!number) return;
          const top = Math.round(plot.valToPos(edge(row + above + 1), "y", true));
          const bottom = Math.round(plot.valToPos(edge(row + above), "y", true));
          const share = most > 1 ? Math.log(number) / Math.log(most) : 1;
          ctx.fillStyle = ramp[Math.round(share * (ramp.length - 1))];
          ctx.fillRect(left, top, width, Math.max(bottom - top, 1));
        });
      });
    });
    function tell(plot) {
      const { left, top } = plot.cursor;
      told.textContent = "";
      if (left == null || left < 0 || top < 0) return;
      const at = plot.posToVal(left, "x");
      const index = found.at.findIndex((from) => from <= at && at < from + found.width);
      const row = Math.floor(Math.log10(plot.posToVal(top, "y") * 1e6) * data.rows);
      const [first, ...counts] = found.columns[index] || [0];
      const from = index < 0 ? at : found.at[index];
      told.textContent = `${clock(from)}, ${figure(edge(row))} to ${figure(edge(row + 1))} ms: ${count(counts[row - first] || 0)}`;
    }
    const plot = overTime("heat", {
      series: [{ label: chosen, show: true, width: 0, paths: () => null, points: { show: false } }],
      columns: [middles.map(() => edge(lowest))],
      y: { distr: 3, log: 10, range: () => [edge(lowest), edge(highest)] },
      yAxis: logAxis(""), height: wide() ? 260 : 220,
      cursor: { y: true, points: { show: false } },
      hooks: { drawAxes: [cells], setCursor: [tell] },
      words,
    });
    plot.root.querySelector(".u-legend").hidden = true;
    plot.root.append(readout);
  }

  function shades() {
    const stops = [0, 1, 2].map((stop) => {
      const hex = colour(`heat-${stop}`);
      return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    });
    return Array.from({ length: 48 }, (_, step) => {
      const place = (step / 47) * 2;
      const low = Math.min(Math.floor(place), 1);
      const mixed = stops[low].map((from, part) => Math.round(from + (stops[low + 1][part] - from) * (place - low)));
      return `rgb(${mixed.join(",")})`;
    });
  }

  const redraw = charts.start(() => {
    document.getElementById("charts").hidden = !choices.length;
    percentiles();
    if (!slots) return;
    document.getElementById("over-time").hidden = false;
    latency();
    profile();
    heat();
    unanswered();
    levels();
    failures();
    rates();
    cpu();
  });

  const choice = document.getElementById("metric");
  const groups = [...Object.entries(GROUPS).map(([kind, label]) => [label, data.names.filter((each) => each.kind === kind).map(({ name }) => name)]),
    ["Connections and load generator", choices.filter((metric) => !named.has(metric))]];
  for (const [label, metrics] of groups) {
    const group = document.createElement("optgroup");
    group.label = label;
    group.append(...metrics.map((metric) => new Option(metric, metric, false, metric === chosen)));
    if (metrics.length) choice.append(group);
  }
  choice.closest("label").hidden = choice.options.length < 2;
  choice.addEventListener("change", () => { chosen = choice.value; redraw(); });
})();
