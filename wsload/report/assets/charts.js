"use strict";
/* What the pages' charts share: colours of the current theme, axes with units, sizes that follow the page. */
const charts = (() => {
  const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
  const AXIS_WIDTH = 62;
  const made = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  /* Figures as the tables show them: the same rules as in wsload/words.py. */
  function figure(value) {
    if (value == null) return "–";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 0.9995) return value.toFixed(3);
    if (size < 9.995) return value.toFixed(2);
    if (size < 99.95) return value.toFixed(1);
    return Math.round(value).toLocaleString("en-US");
  }
  const rate = (value) => (value ? (value < 9.995 ? value.toFixed(2) : figure(value)) : value === 0 ? "0" : "–");
  const percent = (share) => `${Number((100 * share).toFixed(1))} %`;
  function size(bytes) {
    let [value, unit] = [bytes, "B"];
    for (const larger of ["kB", "MB", "GB", "TB"]) {
      if (value < 999.5) break;
      [value, unit] = [value / 1000, larger];
    }
    return `${unit === "B" || value >= 99.95 ? count(value) : Number(value.toPrecision(3))} ${unit}`;
  }
  const span = (seconds) => (seconds < 59.95 ? `${Number(seconds.toPrecision(3))} s` : clock(seconds));
  const count = (value) => (value == null ? "–" : Math.round(value).toLocaleString("en-US"));

  function clock(seconds) {
    const whole = Math.round(seconds);
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
    return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
  }

  /* A logarithmic range that ends at 1, 2 or 5 times a power of ten, and its ticks. */
  function logRange(low, high) {
    if (low == null || high == null) return [0.1, 10];
    const steps = (value, up) => {
      const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
      const found = [1, 2, 5, 10].map((step) => step * power);
      return up ? found.find((step) => step >= value * 0.999) : found.reverse().find((step) => step <= value * 1.001);
    };
    const [from, to] = [steps(low, false), steps(high, true)];
    return from < to ? [from, to] : [from / 2, to * 2];
  }
  function logTicks(low, high) {
    const decades = Math.log10(high / low);
    const steps = decades > 2.2 ? [1] : decades > 0.7 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const step of steps) {
        const tick = step * 10 ** power;
        if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick);
      }
    }
    return ticks;
  }
  const plain = (value) => (value >= 1000 ? value.toLocaleString("en-US") : String(Number(value.toPrecision(3))));

  const stroke = (name) => () => colour(name);
  const axis = (more) => ({
    font: FONT, stroke: stroke("soft"), grid: { stroke: stroke("grid"), width: 1 },
    ticks: { stroke: stroke("rule"), width: 1, size: 4 }, gap: 4, ...more,
  });
  const logScale = { distr: 3, log: 10, range: (plot, low, high) => logRange(low, high) };
  const logAxis = (unit) => axis({
    size: AXIS_WIDTH,
    splits: (plot, index, low, high) => logTicks(low, high),
    filter: (plot, splits) => splits,
    values: (plot, splits) => splits.map((split) => `${plain(split)}${unit}`),
  });
  const zeroScale = { range: (plot, low, high) => [0, high > 0 ? high * 1.1 : 1] };
  const WHOLE = [1, 2, 5].flatMap((step) => Array.from({ length: 13 }, (_, power) => step * 10 ** power)).sort((a, b) => a - b);
  const zeroAxis = (unit, more = {}) => axis({
    size: AXIS_WIDTH, space: 24, ...more,
    values: (plot, splits) => splits.map((split) => (split == null ? "" : `${plain(split)}${unit}`)),
  });

  /* Percentiles: x is the number of nines, log10(1 / (1 - p)). */
  const NINES = [0, Math.log10(2), 1, 2, 3, 4, 5, 6, 7];
  const nines = (percentile) => -Math.log10(1 - percentile / 100);
  function percentile(x) {
    if (x == null) return "–";
    const digits = Math.max(Math.ceil(x - 1e-9) - 1, 0) + (x % 1 > 1e-6 ? 1 : 0);
    return `${Number((100 * (1 - 10 ** -x)).toFixed(Math.min(digits, 6)))} %`;
  }
  /* Labels from the right to the left, as far as none touches another. */
  function withRoom(plot, splits) {
    let free = Infinity;
    return splits.map(percentile).reverse().map((label, index) => {
      const middle = plot.valToPos(splits[splits.length - 1 - index], "x");
      const half = label.length * 3.4;
      if (middle + half > free) return "";
      free = middle - half - 8;
      return label;
    }).reverse();
  }
  const ninesAxis = () => axis({
    size: 28,
    splits: (plot, index, low, high) => NINES.filter((tick) => tick <= high + 1e-9),
    filter: (plot, splits) => splits,
    values: withRoom,
  });
  const ninesSeries = { label: "percentile", value: (plot, x) => percentile(x) };

  /* Lines that coincide are told apart by their dashes, the later drawn over the earlier. */
  const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
  const legend = {
    markers: {
      width: 3, fill: () => "none",
      stroke: (plot, index) => plot.series[index].stroke(plot, index),
      dash: (plot, index) => ((plot.series[index].dash || [])[0] > 2 ? "dashed" : plot.series[index].dash?.length ? "dotted" : "solid"),
    },
  };

  /* Values as dots without a line: `kind` is behind "dot" in the legend's class, `points` how they look. */
  const dots = (label, name, value, kind, points) => ({
    label, class: `dot${kind}`, stroke: stroke(name), width: 0, paths: () => null,
    value: (plot, found, series, place) => value(found, place),
    points: { show: true, stroke: stroke(name), fill: stroke(name), ...points },
  });

  /* Paints inside the plot's axes only. */
  function clipped(plot, paint) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    paint(ctx, bbox);
    ctx.restore();
  }

  const wide = () => innerWidth > 620;
  /* A cursor without zoom. */
  const still = { y: false, drag: { x: false, y: false } };

  /* What a chart shows, in words: each line that is on, from its lowest to its highest value. */
  function said(plot) {
    const [at, ...columns] = plot.data;
    const lines = columns.map((values, index) => {
      const series = plot.series[index + 1];
      if (!series.show) return "";
      let [low, high] = [-1, -1];
      values.forEach((value, place) => {
        if (value == null) return;
        if (low < 0 || value < values[low]) low = place;
        if (high < 0 || value > values[high]) high = place;
      });
      if (low < 0) return `${series.label}: no values`;
      const shown = (place) => series.value(plot, values[place], index + 1, place);
      return `${series.label}: ${shown(low)} to ${shown(high)}, highest at ${plot.series[0].value(plot, at[high], 0, high)}`;
    });
    return `${lines.filter((line) => line).join("; ")}.`;
  }

  /* Names in the legend are switches, for the keyboard too. */
  function switches(plot, tell) {
    plot.root.querySelectorAll(".u-series > th").forEach((head, index) => {
      if (!index) return;
      const press = () => head.setAttribute("aria-pressed", String(plot.series[index].show));
      head.tabIndex = 0;
      head.setAttribute("role", "button");
      press();
      head.addEventListener("click", () => { press(); tell(); });
      head.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        head.click();
      });
    });
  }

  /* Paper is light, and narrower than most screens. */
  const PAPER_WIDTH = 680;
  const root = document.documentElement;
  const onPaper = () => root.classList.contains("paper");

  /* Puts a plot into a figure, as wide as that is for as long as it lives; `words` instead of what its lines say. */
  function draw(id, options, data, height, words) {
    const figureElement = document.getElementById(id);
    const place = figureElement.querySelector(".plot");
    figureElement.hidden = false;
    const width = () => (onPaper() ? PAPER_WIDTH : Math.max(Math.floor(place.clientWidth), 200));
    const tell = (it) => { figureElement.querySelector(".said").textContent = words || said(it); };
    const hooks = { ...options.hooks, setData: [...(options.hooks?.setData || []), tell] };
    const plot = new uPlot({ width: width(), height, padding: [8, 22, 0, 0], legend, ...options, hooks }, data, place);
    tell(plot);
    switches(plot, () => tell(plot));
    const observer = new ResizeObserver(() => {
      if (plot.width !== width()) plot.setSize({ width: width(), height });
    });
    observer.observe(place);
    made.push(() => { observer.disconnect(); plot.destroy(); });
    return plot;
  }

  /* Draws the page's charts, and again whenever the theme changes: legends keep their colours. */
  function start(drawAll) {
    const again = () => {
      while (made.length) made.pop()();
      drawAll();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
    addEventListener("beforeprint", () => { root.classList.add("paper"); again(); });
    addEventListener("afterprint", () => { root.classList.remove("paper"); again(); });
    again();
    return again;
  }

  return {
    data: JSON.parse(document.getElementById("data").textContent),
    axis, clipped, clock, colour, count, DASHES, dots, draw, figure, logAxis, logScale, nines, ninesAxis, ninesSeries, percent, rate, size, span, start, still, stroke, wide, zeroAxis, zeroScale, AXIS_WIDTH, WHOLE,
  };
})();
