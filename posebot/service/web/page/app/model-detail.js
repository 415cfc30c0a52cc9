// Details of a model: objects, metrics, provenance.

import { h } from "./dom.js";
import { fixed, plain } from "./format.js";

/** @param {any} model a ModelDetail @returns {Node[]} */
export function modelDetail(model) {
  const { metrics = {}, ...provenance } = model.provenance ?? {};
  return [
    h("header", { class: "panel-head" }, h("h2", { id: "model-title" }, `${model.name} ${model.version}`)),
    ...(model.verdict?.length ? [part("Verdict", h("ul", {}, model.verdict.map((/** @type {string} */ line) => h("li", {}, line))),
      h("p", { class: "muted small" }, "On the held-out frames that its calibration was fitted to."))] : []),
    h("div", { class: "columns" },
      part("Metrics", Object.keys(metrics).length ? facts(metrics) : h("p", { class: "muted" }, "None recorded."),
        h("p", { class: "muted small" }, "Measured on held-out data after training.")),
      part("Provenance", facts(provenance)),
      part("Networks and calibration", facts({ detector: model.detector, localizer: model.localizer, calibration: sizesOf(model.calibration) }))),
    part("Objects", objects(model.detail)),
  ];
}

/** @param {string} title @param {...Node} content */
const part = (title, ...content) => h("section", { class: "part" }, h("h3", {}, title), ...content);

/** @param {any} calibration without its tables of numbers */
function sizesOf(calibration) {
  return Object.fromEntries(Object.entries(calibration ?? {}).map(([mode, fit]) =>
    [mode, fit && typeof fit === "object" ? Object.fromEntries(Object.entries(fit).filter(([, value]) => typeof value !== "object")) : fit]));
}

/** A tree of values, flat. @param {any} values */
function facts(values) {
  return h("dl", { class: "facts" }, flat(values).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** @param {any} values @param {string} [prefix] @returns {[string, string][]} */
function flat(values, prefix = "") {
  return Object.entries(values ?? {}).flatMap(([name, value]) => {
    const label = prefix + plain(name);
    if (value === null) return [];
    if (Array.isArray(value)) return [/** @type {[string, string]} */ ([label, value.map(valueText).join(", ")])];
    return typeof value === "object" ? flat(value, `${label}, `) : [/** @type {[string, string]} */ ([label, valueText(value)])];
  });
}

/** @param {any} value */
function valueText(value) {
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return fixed(value, Math.abs(value) < 1 ? 4 : Math.abs(value) < 100 ? 2 : 1);
}

/** @param {any[]} entries */
function objects(entries) {
  const heads = ["Object", "Number", "Diameter, mm", "Size x y z, mm", "Symmetries", "Faces"];
  const symmetries = (/** @type {any} */ { discrete, continuous }) =>
    [continuous ? `${continuous} ${continuous === 1 ? "axis" : "axes"}` : "", discrete ? `${discrete} discrete` : ""].filter(Boolean).join(", ") || "none";
  const cell = (/** @type {string} */ label, /** @type {any} */ value) => h("td", { role: "cell", "data-label": label }, value);
  return h("div", { class: "scroll" }, h("table", { class: "list", role: "table" },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((name) => h("th", { scope: "col", role: "columnheader" }, name)))),
    h("tbody", { role: "rowgroup" }, entries.map((entry) => h("tr", { role: "row" },
      h("th", { scope: "row", role: "rowheader" }, plain(entry.label)), cell(heads[1], entry.obj_id), cell(heads[2], fixed(entry.diameter_m * 1000, 1)),
      cell(heads[3], entry.extents_m.map((/** @type {number} */ value) => fixed(value * 1000, 1)).join(" × ")),
      cell(heads[4], symmetries(entry.symmetries)), cell(heads[5], entry.faces))))));
}
