// A sparkline of the last values.

import { svg } from "./dom.js";

const WIDTH = 120;
const HEIGHT = 28;

/** @returns {{element: SVGElement, draw: (values: number[], top: number) => void}} */
export function sparkline() {
  const line = svg("polyline", { class: "spark-line" });
  const element = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }, line);
  const draw = (/** @type {number[]} */ values, /** @type {number} */ top) => {
    const step = WIDTH / Math.max(values.length - 1, 1);
    const y = (/** @type {number} */ value) => HEIGHT - 1 - (Math.min(value, top) / (top || 1)) * (HEIGHT - 3);
    line.setAttribute("points", values.map((value, i) => `${(i * step).toFixed(1)},${y(value).toFixed(1)}`).join(" "));
  };
  return { element, draw };
}
