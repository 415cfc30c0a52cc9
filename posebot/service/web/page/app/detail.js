// Details of the selected object, to copy as JSON.

import { fill, h, setText } from "./dom.js";
import { fixed } from "./format.js";
import { quaternion, rotatedCovariance } from "./geometry.js";
import { poseOf } from "./tracks.js";

const IDENTITY = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]];

/** @param {number} columns of the table @returns {{row: HTMLElement, update: (row: any, header: any) => void}} */
export function detailRow(columns) {
  const facts = h("dl", { class: "facts" });
  const matrix = h("pre", { class: "matrix" });
  const caption = h("h3", {});
  const note = h("span", { class: "muted", role: "status" });
  /** @type {any} */ let shown = null;
  const copy = h("button", { type: "button", onclick: () => copyText(JSON.stringify(shown, null, 1), note) }, "Copy as JSON");
  const row = h("tr", { class: "detail", role: "row" }, h("td", { colspan: columns, role: "cell" },
    h("div", { class: "detail-grid" }, facts, h("div", {}, caption, matrix), h("div", { class: "actions" }, copy, note))));
  const update = (/** @type {any} */ { estimate }, /** @type {any} */ header) => {
    shown = { frame_id: header.result.frame_id, captured_at: header.result.captured_at, ...estimate };
    const pose = poseOf(estimate);
    setText(caption, estimate.base_from_obj ? "base_from_obj, m" : pose ? "cam_from_obj, m" : "");
    setText(matrix, pose ? pose.map((line) => line.map((value) => fixed(value, 4).padStart(8)).join(" ")).join("\n") : "No pose.");
    const values = factsOf(estimate, header);
    if (facts.children.length !== 2 * values.length) fill(facts, values.map(([name]) => [h("dt", {}, name), h("dd", {})]).flat());
    values.forEach(([, value], i) => setText(facts.children[2 * i + 1], value));
  };
  return { row, update };
}

/** @param {any} estimate @param {any} header @returns {[string, string][]} */
function factsOf(estimate, header) {
  const pose = poseOf(estimate);
  /** @type {[string, string][]} */ const facts = [
    ["Detector score", fixed(estimate.score, 2)],
    ["Box, px", estimate.box_xyxy.map((/** @type {number} */ value) => fixed(value, 0)).join("  ")],
  ];
  if (!pose) return facts;
  const numbers = (/** @type {number[]} */ values, /** @type {number} */ digits) => values.map((value) => fixed(value, digits)).join("  ");
  facts.unshift(["Position x y z, m", numbers(pose.slice(0, 3).map((row) => row[3]), 4)], ["Quaternion x y z w", numbers(quaternion(pose), 4)]);
  if (estimate.covariance) {
    const turn = estimate.base_from_obj && header.base_from_cam ? header.base_from_cam : IDENTITY;
    const sigma = (/** @type {number} */ offset, /** @type {number} */ scale) =>
      rotatedCovariance(turn, estimate.covariance, offset).map((row, i) => Math.sqrt(Math.max(row[i], 0)) * scale);
    facts.push(["Std. deviation x y z, mm", numbers(sigma(0, 1000), 2)], ["… about x y z, °", numbers(sigma(3, 180 / Math.PI), 2)]);
  }
  return facts;
}

/** @param {string} text @param {HTMLElement} note */
async function copyText(text, note) {
  const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  note.textContent = copied ? "Copied." : "Copying needs HTTPS or localhost.";
  setTimeout(() => { note.textContent = ""; }, 4000);
}
