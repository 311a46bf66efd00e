"use strict";
/* The live page: asks for what is new once a second and moves the charts on. All text is set as text. */
(() => {
  const { data, axis, clock, count, draw, figure, logAxis, logScale, nines, ninesAxis, ninesSeries, percent, rate, size, span, still, stroke, zeroAxis, zeroScale, WHOLE } = charts;
  const { base, labels, meanings } = data;
  const CURVES = ["whole run", "last 10 s"];
  const DASH = [6, 5];
  const OWN = ["send_lag", "loop_lag", "gc_pause"];
  const OWN_COUNTERS = ["cpu_ns", "late_ns", "late_working_ns", "late_waiting_ns", "late_samples",
    "late_surplus_ns", "late_pause_ns", "late_http_ns"];
  const SECONDS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
  const wholeAxis = (unit) => zeroAxis(unit, { incrs: WHOLE });

  /* Charts over time: the points' fields, their labels, colours and form; where two lines often cover each other the upper is dashed. */
  const TIMES = {
    latency: { height: 240, scale: logScale, axis: logAxis, form: figure, lines: [["p50", "p50", "a"], ["p99", "p99", "b"], ["p99_9", "p99.9", "g", DASH]] },
    messages: { height: 150, scale: zeroScale, axis: zeroAxis, form: figure, lines: [["sent", "sent", "f"], ["answered", "answered", "a", DASH]] },
    deliveries: { height: 150, scale: zeroScale, axis: zeroAxis, form: figure, lines: [["deliveries", "deliveries", "c"]] },
    levels: { height: 150, scale: zeroScale, axis: wholeAxis, form: count, lines: [["users", "users", "f"], ["connections", "connections", "a", DASH]] },
    failures: { height: 150, scale: zeroScale, axis: wholeAxis, form: count, lines: [["failures", "failures", "g"], ["lost", "lost", "b", DASH]] },
  };
  const RATES = ["sent", "answered", "deliveries"];
  const FIELDS = Object.values(TIMES).flatMap((chart) => chart.lines.map(([field]) => field));

  let taken, run, begun, at, track, curves, last;
  let name = "";
  let shownName = "";
  let plots = {};
  function reset(found) {
    [taken, at, curves, last] = [0, [], {}, null];
    [run, begun] = found ? [found.name, found.started_at] : [null, 0];
    track = Object.fromEntries(FIELDS.map((field) => [field, []]));
  }
  reset();

  const byId = (id) => document.getElementById(id);

  const BEFORE_UNIT = /(?<=[0-9]) (?=(?:%|pp|µs|ms|s|min|h|B|kB|MB|GB)(?![a-zA-Z]))/g;  // as in words.py
  function element(name, text, className) {
    const made = document.createElement(name);
    if (text != null) made.textContent = String(text).replace(BEFORE_UNIT, "\u00a0");
    if (className) made.className = className;
    return made;
  }
  /* A table's rows; the whole of it is hidden while there are none. Figures are given by the heads that end in a space. */
  const SHORT = 20;  // as in macros.html
  function rows(id, heads, lines) {
    const block = byId(id);
    block.hidden = !lines.length;
    const side = (column) => (heads[column].endsWith(" ") ? "right" : "left");
    const styled = (text, column) => `${side(column)}${String(text).length <= SHORT ? " short" : ""}`;
    const head = element("tr");
    heads.forEach((title, column) => {
      const cell = element("th", title.trim(), styled(title.trim(), column));
      cell.scope = "col";
      head.append(cell);
    });
    const [top, body] = [element("thead"), element("tbody")];
    top.append(head);
    for (const cells of lines) {
      const line = element("tr");
      cells.forEach((text, column) => {
        const doubtful = column && String(text).startsWith("(") ? " doubtful" : "";
        const cell = element(column ? "td" : "th", text, styled(text, column) + doubtful);
        if (!column) cell.scope = "row";
        line.append(cell);
      });
      body.append(line);
    }
    block.querySelector("table").replaceChildren(top, body);
  }

  /* A line whose legend shows the latest figure while nobody points at another. */
  const latest = (values) => values.at(-1);
  const latestRate = (values) => values.findLast((value) => value != null);
  const line = (label, colour, form, dash, shown = latest) => ({
    label, stroke: stroke(colour), width: 1.5, dash, points: { show: false },
    value: (plot, value, series, index) => form(index == null ? shown(plot.data[series]) : value),
  });
  const moment = (form) => ({ value: (plot, value, series, index) => {
    const shown = index == null ? plot.data[0].at(-1) : value;
    return shown == null ? "–" : form(shown);
  } });

  const overTime = (id) => [at, ...TIMES[id].lines.map(([field]) => track[field])];
  function curveData() {
    const found = CURVES.filter((name) => curves[name] && curves[name].at.length);
    if (!found.length) return [[0], [null], [null]];
    const joined = uPlot.join(found.map((name) => [curves[name].at.map(nines), curves[name].ms]));
    return found.length === 2 ? joined : [joined[0], joined[1], joined[0].map(() => null)];
  }
  function drawAll() {
    plots = {};
    for (const [id, chart] of Object.entries(TIMES)) {
      plots[id] = draw(id, {
        scales: { x: { time: false }, y: chart.scale },
        cursor: { ...still, sync: { key: "time" } },
        axes: [axis({ space: 64, size: 36, incrs: SECONDS, values: (plot, splits) => splits.map(clock) }), chart.axis("")],
        series: [{ label: "time", ...moment(clock) }, ...chart.lines.map(([field, label, colour, dash]) => line(label, colour, chart.form, dash, RATES.includes(field) ? latestRate : latest))],
      }, overTime(id), chart.height);
    }
    plots.percentiles = draw("percentiles", {
      scales: { x: { time: false }, y: logScale },
      cursor: still,
      axes: [ninesAxis(), logAxis("")],
      series: [
        ninesSeries,
        ...CURVES.map((name, place) => ({ ...line(name, "ab"[place], figure, place ? DASH : []), spanGaps: true, value: (plot, value) => figure(value) })),
      ],
    }, curveData(), 300);
  }

  function showVerdict(found) {
    const ended = found.run.ended;
    const trust = found.trust;
    const verdict = byId("verdict");
    verdict.className = `banner ${trust.tone}`;
    const said = element("strong", `${ended ? "" : "So far: "}${trust.verdict}.`, "well");
    const text = trust.remedy ? `${said.textContent} Remedy: ${trust.remedy}.` : said.textContent;
    // Only when it changes: it is read out.
    if (verdict.textContent !== text) verdict.replaceChildren(said, trust.remedy ? ` Remedy: ${trust.remedy}.` : "");
    verdict.hidden = false;
    byId("warnings").replaceChildren(...found.warnings.map((warning) => {
      const item = element("li", null, warning.invalidates ? "bad" : "");
      item.append(element("strong", warning.text), " ", element("span", warning.remedy));
      return item;
    }));
    const words = ended ? { true: "passed", false: "failed", null: "not judged" } : { true: "passing", false: "failing", null: "not judged" };
    const classes = { true: "passed", false: "failed", null: "not-judged" };
    byId("checks").replaceChildren(...found.checks.map((check) => {
      const item = element("li", null, classes[check.passed]);
      const got = check.reason ? `${check.got}: ${check.reason}` : check.got;
      item.append(element("strong", words[check.passed]), " ", element("code", check.expression), " ", element("span", `got ${got}`));
      return item;
    }));
  }

  /* A percentile with parentheses where it is not trusted. */
  function sure(found, name, percentile, value) {
    const told = figure(value);
    return value == null || percentile <= (found.trust.up_to[name] ?? 100) ? told : `(${told})`;
  }

  function showFigures(found) {
    const message = found.metrics[found.name];
    const told = (percentile, value) => sure(found, found.name, percentile, message && value(message));
    const whose = Object.keys(found.names).length > 1 ? `${found.name} ` : "";
    const tiles = found.run.ended ? [
      [`${whose}p50, ms`, told(50, (it) => it.p50)], [`${whose}p99, ms`, told(99, (it) => it.p99)], [`${whose}max, ms`, told(100, (it) => it.max)],
      ["answered a second", rate(message && message.rate)], ["lost", count(found.counters.lost || 0)],
      ["failures", count(found.failures.reduce((sum, [, , number]) => sum + number, 0))],
    ] : [
      ["users", count(last && last.users)], ["connections", count(last && last.connections)],
      ["sent a second", figure(last && last.sent)], ["answered a second", figure(last && last.answered)],
      [`${whose}p50 so far, ms`, told(50, (it) => it.p50)], [`${whose}p99 so far, ms`, told(99, (it) => it.p99)],
    ];
    byId("figures").replaceChildren(...tiles.map(([label, value]) => {
      const tile = element("div");
      tile.append(element("dt", label), element("dd", value));
      return tile;
    }));
  }

  const counted = (name, value) => (name.endsWith("_ns") ? span(value / 1e9) : name.startsWith("bytes_") ? size(value) : count(value));
  function showTables(found) {
    const times = (id, chosen) => rows(id, ["metric", "count ", "per second ", "p50 ", "p90 ", "p95 ", "p99 ", "p99.9 ", "max "],
      Object.entries(found.metrics).filter(([name]) => chosen(name)).map(([name, it]) => [name, count(it.count), rate(it.rate),
        ...[[50, it.p50], [90, it.p90], [95, it.p95], [99, it.p99], [99.9, it.p99_9], [100, it.max]].map(([percentile, value]) => sure(found, name, percentile, value))]));
    times("metrics", (name) => !OWN.includes(name));
    times("own", (name) => OWN.includes(name));
    const counters = (id, chosen) => rows(id, ["counter", "value "],
      Object.entries(found.counters).filter(([name]) => chosen(name)).map(([name, value]) => [labels[name] || name, counted(name, value)]));
    counters("counters", (name) => !OWN_COUNTERS.includes(name));
    counters("own-counters", (name) => OWN_COUNTERS.includes(name));
    rows("kinds", ["what", "failure", "count "], found.failures.map(([what, kind, number]) => [what, kind, count(number)]));
    rows("closes", ["code", "meaning", "count "], found.closes.map(([code, number]) => [code, meanings[code] || "defined by the application", count(number)]));
    rows("processes", ["process", "users ", "answered ", "CPU ", "p99, ms ", "late by, p99 ms "],
      found.processes.map((it) => [it.name, count(it.users), count(it.answered), percent(it.cpu), figure(it.p99), figure(it.lag_p99)]));
  }

  function show(found) {
    taken = found.taken;
    for (const point of found.points) {
      // A moment's rate says little: the last interval of a run can be that short.
      if (point.at - begun - (at.at(-1) ?? 0) < 0.5) for (const field of RATES) point[field] = null;
      at.push(point.at - begun);
      for (const field of FIELDS) track[field].push(point[field]);
      last = point;
    }
    curves = found.curves;
    showNames(found);
    for (const id of Object.keys(TIMES)) plots[id].setData(overTime(id));
    plots.percentiles.setData(curveData());
    byId("build").textContent = found.run.build;
    byId("target").textContent = found.run.target;
    byId("state").textContent = `${found.run.ended ? "ended after" : "running for"} ${clock(at.length ? at.at(-1) : 0)}`;
    showVerdict(found);
    showFigures(found);
    byId("run").hidden = false;
    byId("so-far").hidden = found.run.ended;
    byId("deliveries").hidden = !track.deliveries.some((rate) => rate);
    showTables(found);
    byId("links").hidden = false;
    byId("report").hidden = byId("links").children[1].hidden = !found.run.ended;
  }

  /* The names to choose from; a select that is in use is left alone unless there are others now. */
  function showNames(found) {
    const names = Object.keys(found.names);
    const select = byId("name");
    select.closest("label").hidden = names.length < 2;
    if (names.join("\n") !== [...select.options].map((option) => option.value).join("\n")) {
      select.replaceChildren(...names.map((each) => new Option(each, each)));
    }
    select.value = found.name;
    for (const each of document.querySelectorAll(".chosen")) each.textContent = found.name ? `: ${found.name}` : "";
  }

  async function ask() {
    const answer = await fetch(`${base}/live.json?since=${taken}&name=${encodeURIComponent(name)}`, { cache: "no-store" });
    if (answer.redirected) throw new Error("You are not logged in to Locust any more.");
    if (!answer.ok) throw new Error("Locust returned an unexpected response.");
    const found = await answer.json();
    if (!found.run) return;
    // Another name has other points: all are asked for again.
    const other = taken && found.name !== shownName;
    shownName = found.name;
    if (!other && (found.run.name === run || !taken)) {
      if (found.run.name !== run) reset(found.run);
      show(found);
    } else {
      reset(found.run);
      await ask();
    }
  }
  async function keepAsking() {
    try {
      if (!document.hidden) await ask();
    } catch (error) {
      byId("state").textContent = error instanceof TypeError ? "Locust does not answer." : error.message;
    }
    setTimeout(keepAsking, 1000);
  }

  byId("name").addEventListener("change", () => {
    name = byId("name").value;
    ask().catch(() => {});
  });
  /* In Locust's tab. */
  if (window.top !== window) document.documentElement.classList.add("framed");
  byId("back").href = `${base}/../`;
  byId("hlog").href = `${base}/histograms.hlog`;
  byId("report").href = `${base}/report.html`;
  charts.start(drawAll);
  keepAsking();
})();
