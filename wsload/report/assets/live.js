"use strict";
/* The live page: asks for what is new once a second and moves the charts on. All text is set as text. */
(() => {
  const { data, axis, clock, count, draw, figure, logAxis, logScale, stroke, zeroAxis, zeroScale } = charts;
  const base = data.base;
  const TRACKS = ["p50", "p99", "p99_9", "posts", "echoes", "deliveries", "users", "connections"];
  const CURVES = ["whole run", "last 10 s"];
  let taken = 0, begun = 0, run = null;
  let at = [], track = {}, curves = {}, plots = {};
  const reset = () => { taken = 0; at = []; track = Object.fromEntries(TRACKS.map((name) => [name, []])); curves = {}; };
  reset();

  const byId = (id) => document.getElementById(id);
  const nines = (percentile) => -Math.log10(1 - percentile / 100);
  const percent = (x) => `${Number((100 * (1 - 10 ** -x)).toFixed(Math.min(Math.max(Math.ceil(x) - 1, 0) + (x % 1 > 1e-6 ? 1 : 0), 6)))} %`;

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text != null) made.textContent = text;
    if (className) made.className = className;
    return made;
  }
  function rows(id, heads, lines) {
    const head = element("tr");
    heads.forEach((title, index) => head.append(element("th", title, index ? "right" : "left")));
    byId(id).replaceChildren(head, ...lines.map((cells) => {
      const line = element("tr");
      cells.forEach((cell, index) => line.append(element("td", cell, index ? "right" : "left")));
      return line;
    }));
  }

  const line = (label, name, show) => ({
    label, stroke: stroke(name), width: 1.5, points: { show: false }, value: (plot, value) => show(value),
  });
  const timeAxis = () => axis({ space: 64, values: (plot, splits) => splits.map(clock) });
  function overTime(id, names, series, y, yAxis) {
    plots[id] = draw(id, {
      scales: { x: { time: false }, y },
      cursor: { y: false, sync: { key: "time" }, drag: { x: false, y: false } },
      axes: [timeAxis(), yAxis],
      series: [{ label: "time", value: (plot, value) => (value == null ? "–" : clock(value)) }, ...series],
    }, [at, ...names.map((name) => track[name])], 240);
    plots[id].names = names;
  }
  function curveData() {
    const found = CURVES.filter((name) => curves[name] && curves[name].at.length);
    if (!found.length) return [[0], [null], [null]];
    const joined = uPlot.join(found.map((name) => [curves[name].at.map(nines), curves[name].ms]));
    return found.length === 2 ? joined : [joined[0], joined[1], joined[0].map(() => null)];
  }
  function drawAll() {
    plots = {};
    overTime("latency", ["p50", "p99", "p99_9"],
      [line("p50", "a", figure), line("p99", "b", figure), line("p99.9", "g", figure)], logScale, logAxis(""));
    overTime("rates", ["posts", "echoes", "deliveries"],
      [line("sent", "f", figure), line("echoes", "a", figure), line("deliveries", "c", figure)], zeroScale, zeroAxis(""));
    overTime("levels", ["users", "connections"], [line("users", "f", count), line("connections", "a", count)], zeroScale, zeroAxis(""));
    plots.percentiles = draw("percentiles", {
      scales: { x: { time: false }, y: logScale },
      cursor: { y: false, drag: { x: false, y: false } },
      axes: [axis({
        space: 40, filter: (plot, splits) => splits, values: (plot, splits) => splits.map(percent),
        splits: (plot, index, low, high) => [0, Math.log10(2), 1, 2, 3, 4, 5, 6, 7].filter((tick) => tick <= high + 1e-9),
      }), logAxis("")],
      series: [
        { label: "percentile", value: (plot, x) => (x == null ? "–" : percent(x)) },
        { ...line("whole run", "a", figure), spanGaps: true }, { ...line("last 10 s", "b", figure), spanGaps: true },
      ],
    }, curveData(), 300);
  }

  function show(found) {
    if (found.run.name !== run) { reset(); run = found.run.name; begun = found.run.started_at; }
    taken = found.taken;
    for (const point of found.points) {
      at.push(point.at - begun);
      for (const name of TRACKS) track[name].push(point[name]);
    }
    curves = found.curves;
    for (const id of ["latency", "rates", "levels"]) plots[id].setData([at, ...plots[id].names.map((name) => track[name])]);
    plots.percentiles.setData(curveData());
    byId("build").textContent = found.run.build;
    byId("target").textContent = found.run.target;
    byId("state").textContent = found.run.ended ? "ended" : `running for ${clock(at.length ? at[at.length - 1] : 0)}`;
    const bad = found.warnings.some((warning) => warning.invalidates);
    const verdict = byId("verdict");
    verdict.hidden = false;
    verdict.className = bad ? "banner bad" : "banner good";
    verdict.textContent = bad ? "Not valid. Don’t trust these figures: the load generator can’t vouch for them." : "Valid so far: the load generator keeps up.";
    byId("warnings").replaceChildren(...found.warnings.map((warning) => {
      const item = element("li", null, warning.invalidates ? "bad" : "");
      item.append(element("strong", warning.text), " ", element("span", warning.remedy));
      return item;
    }));
    byId("checks").replaceChildren(...found.checks.map((check) => {
      const item = element("li", null, check.passed ? "passed" : "failed");
      item.append(element("strong", check.passed ? "passing" : "failing"), " ", element("code", check.expression), " ", element("span", `got ${check.got}`));
      return item;
    }));
    const last = found.points[found.points.length - 1];
    const message = found.metrics.message;
    if (last) {
      const tiles = [["Users", count(last.users)], ["Connections", count(last.connections)], ["Posts a second", figure(last.posts)],
        ["Deliveries a second", figure(last.deliveries)], ["p50, ms", message ? figure(message.p50) : "–"], ["p99, ms", message ? figure(message.p99) : "–"]];
      byId("figures").replaceChildren(...tiles.map(([label, value]) => {
        const tile = element("div");
        tile.append(element("dt", label), element("dd", value));
        return tile;
      }));
    }
    rows("metrics", ["Metric", "Count", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "p99.9 ms", "max ms"],
      Object.entries(found.metrics).map(([name, it]) => [name, count(it.count), ...[it.p50, it.p90, it.p95, it.p99, it.p99_9, it.max].map(figure)]));
    rows("failures", ["What", "Kind", "Count"], found.failures.map(([what, kind, number]) => [what, kind, count(number)]));
    rows("closes", ["Code", "Count"], found.closes.map(([code, number]) => [code, count(number)]));
    rows("processes", ["Process", "CPU", "lag p99 ms"], found.processes.map((it) => [it.name, `${Math.round(it.cpu * 100)} %`, figure(it.lag_p99)]));
    byId("links").hidden = false;
    byId("hlog").href = `${base}/histograms.hlog`;
    byId("report").hidden = !found.run.ended;
    byId("report").href = `${base}/report.html`;
  }

  byId("back").href = base.replace(/[^/]+$/, "");
  charts.start(drawAll);
  async function ask() {
    try {
      const answer = await fetch(`${base}/live.json?since=${taken}`, { cache: "no-store" });
      const found = answer.ok ? await answer.json() : {};
      if (found.run) show(found.run.name === run || run === null ? found : await (await fetch(`${base}/live.json?since=0`, { cache: "no-store" })).json());
    } catch (error) {
      byId("state").textContent = "Locust does not answer.";
    }
    setTimeout(ask, 1000);
  }
  ask();
})();
