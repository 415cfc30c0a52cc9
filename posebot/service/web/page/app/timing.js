// Frame age and stage times over the last results.

import { h, setText } from "./dom.js";
import { milliseconds } from "./format.js";
import { sparkline } from "./spark.js";
import { STAGES } from "./terms.js";

const KEPT = 120;

const bare = (/** @type {number} */ ms) => milliseconds(ms).replace(" ms", "");

export class Timing {
  /** @param {HTMLElement} strip */
  constructor(strip) {
    this.strip = strip;
    /** @type {Map<string, {values: number[], spark: any, value: HTMLElement, range: HTMLElement}>} */ this.series = new Map();
    this.clear();
  }

  /** @param {any} header a StreamResult */
  add(header) {
    const { result } = header;
    this.#push("age", "Frame age", (header.sent_at - result.captured_at) * 1000);
    for (const [stage, name] of Object.entries(STAGES)) if (stage in result.stage_ms) this.#push(stage, name, result.stage_ms[stage]);
  }

  clear() {
    this.series.clear();
    this.strip.replaceChildren();
    for (const [stage, name] of Object.entries({ age: "Frame age", ...STAGES })) this.#entry(stage, name);
  }

  /** @param {string} key @param {string} name @param {number} value */
  #push(key, name, value) {
    const entry = this.series.get(key) ?? this.#entry(key, name);
    entry.values.push(value);
    if (entry.values.length > KEPT) entry.values.shift();
    const sorted = [...entry.values].sort((a, b) => a - b);
    const [median, max] = [sorted[Math.floor(sorted.length / 2)], sorted[sorted.length - 1]];
    setText(entry.value, milliseconds(value));
    setText(entry.range, `median ${bare(median)}, max ${bare(max)}`);
    entry.spark.draw(entry.values, max);
  }

  /** @param {string} key @param {string} name */
  #entry(key, name) {
    const entry = { values: /** @type {number[]} */ ([]), spark: sparkline(), value: h("span", { class: "value" }, "–"), range: h("span", { class: "range muted small" }, "–") };
    this.strip.append(h("div", { class: "series", role: "listitem" }, h("span", { class: "label" }, name), entry.value, entry.spark.element, entry.range));
    this.series.set(key, entry);
    return entry;
  }
}
