// Readouts: at the pointer, the time is marked on all charts and the values stand by their names.
"use strict";
(() => {
  // A run of a path is "x yLx y x y": places on a plot of 1000 by 500, y from above.
  const pointsOf = (run) => {
    const numbers = run.split(/[L ]/).map(Number), points = [];
    for (let at = 0; at + 1 < numbers.length; at += 2) {
      points.push([numbers[at] / 1000, 1 - numbers[at + 1] / 500]);
    }
    return points;
  };
  const plots = [...document.querySelectorAll(".plot")].map((node) => {
    const [xKind, x0, x1] = node.dataset.x.split(" ");
    const [yKind, y0, y1] = node.dataset.y.split(" ");
    const lines = [...node.querySelectorAll("path.line")].map((path) =>
      path.getAttribute("d").split("M").slice(1).map(pointsOf));
    return {
      node, xKind, yKind, lines, x0: +x0, x1: +x1, y0: +y0, y1: +y1, unit: node.dataset.unit,
      cursor: node.querySelector(".cursor"),
      values: [...node.parentNode.querySelectorAll(".now")],
    };
  });
  const digits = (value) => value.toLocaleString("en", value >= 100
    ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 });
  const amount = (value, unit) => unit === "ms" && value >= 1000
    ? `${digits(value / 1000)} s` : `${digits(value)}${unit === "/s" ? "" : " "}${unit}`;
  const clock = (seconds) => {
    const whole = Math.round(seconds), two = (value) => String(value).padStart(2, "0");
    const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  };
  const NEAR = 0.02; // of the plot's width: farther away there is no value
  const valueAt = (plot, runs, share) => {
    let best = null, distance = NEAR;
    for (const run of runs) {
      for (const [x, y] of run) {
        if (Math.abs(x - share) < distance) [best, distance] = [y, Math.abs(x - share)];
      }
    }
    if (best === null) return null;
    return plot.yKind === "log"
      ? plot.y0 * (plot.y1 / plot.y0) ** best : plot.y0 + (plot.y1 - plot.y0) * best;
  };
  const named = (plot, share) => plot.xKind === "tail"
    ? `${+(100 * (1 - (1 - plot.x1 / 100) ** share)).toPrecision(6)} %`
    : clock(plot.x0 + (plot.x1 - plot.x0) * share);
  const show = (plot, share) => {
    plot.cursor.hidden = share === null;
    if (share !== null) {
      plot.cursor.style.left = `${100 * share}%`;
      plot.cursor.firstChild.textContent = named(plot, share);
    }
    plot.values.forEach((place, at) => {
      const value = share === null ? null : valueAt(plot, plot.lines[at], share);
      place.textContent = value === null ? "" : amount(value, plot.unit);
    });
  };
  for (const plot of plots) {
    const alike = plots.filter((other) => other.xKind === plot.xKind);
    plot.node.addEventListener("pointermove", (event) => {
      const box = plot.node.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      alike.forEach((other) => show(other, share));
    });
    plot.node.addEventListener("pointerleave", () => alike.forEach((other) => show(other, null)));
  }
})();
