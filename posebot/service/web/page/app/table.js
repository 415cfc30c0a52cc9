// The table of objects. Rows keep their places while their values change.

import { h, setText, shape } from "./dom.js";
import { fixed, length, percent, plain, seconds } from "./format.js";
import { positionOf, rollPitchYaw } from "./geometry.js";
import { detailRow } from "./detail.js";
import { poseOf, statusOf } from "./tracks.js";
import { STATUS } from "./terms.js";

const COLUMNS = ["x", "y", "z", "roll", "pitch", "yaw"];

/** @typedef {import("./tracks.js").Row} Row */

export class ObjectTable {
  /** @param {HTMLTableSectionElement} body @param {(key: string|null) => void} picked */
  constructor(body, picked) {
    this.body = body;
    this.picked = picked;
    /** @type {Map<string, {row: any, cells: Record<string, any>}>} */ this.lines = new Map();
    /** @type {"mm"|"m"} */ this.unit = "mm";
    /** @type {string|null} */ this.selected = null;
    /** @type {{key: string, row: HTMLElement, update: Function}|null} */ this.detail = null;
  }

  /** @param {Row[]} rows @param {any} header a StreamResult */
  update(rows, header) {
    this.rows = rows;
    this.header = header;
    const keys = new Set(rows.map((row) => row.key));
    for (const [key, { row }] of this.lines) {
      if (keys.has(key)) continue;
      row.remove();
      this.lines.delete(key);
    }
    /** @type {any} */ let before = this.body.firstElementChild;
    for (const row of rows) {
      const line = this.lines.get(row.key) ?? this.#line(row.key);
      this.#write(line.cells, line.row, row);
      while (before && before.classList.contains("detail")) before = before.nextElementSibling;
      if (before === line.row) before = before.nextElementSibling;
      else this.body.insertBefore(line.row, before);
    }
    this.#showDetail();
  }

  /** @param {string|null} key */
  select(key) {
    this.selected = key;
    for (const [name, { row, cells }] of this.lines) {
      row.classList.toggle("selected", name === key);
      cells.button.setAttribute("aria-expanded", String(name === key));
    }
    this.#showDetail();
  }

  /** Update the ages between results. @param {(capturedAt: number) => number|null} ageOf */
  tick(ageOf) {
    for (const row of this.rows ?? []) {
      const line = this.lines.get(row.key);
      if (line) setText(line.cells.age, seconds(ageOf(row.capturedAt)));
    }
  }

  clear() {
    this.rows = [];
    this.lines.clear();
    this.detail = null;
    this.body.replaceChildren();
  }

  /** @param {string} key */
  #line(key) {
    const toggle = () => this.picked(this.selected === key ? null : key);
    /** @type {Record<string, any>} */ const cells = {
      button: h("button", { class: "name plain", type: "button", "aria-expanded": "false" }),
      mark: h("span", { class: "mark" }), word: h("span", {}), reason: h("span", { class: "reason" }),
      bar: h("span", { class: "fill" }), percent: h("span", { class: "value" }), region: h("span", {}), views: h("span", {}), age: h("span", {}),
      ...Object.fromEntries(COLUMNS.map((name) => [name, h("span", {})])),
    };
    const cell = (/** @type {string} */ name, /** @type {string} */ label, /** @type {any[]} */ ...content) =>
      h("td", { class: `col-${name}`, role: "cell", "data-label": label }, ...content);
    const row = h("tr", { role: "row", "data-key": key, onclick: toggle },
      h("th", { scope: "row", role: "rowheader", class: "col-name" }, cells.button),
      cell("status", "Status", h("span", { class: "state" }, cells.mark, cells.word), cells.reason),
      COLUMNS.map((name) => cell(name, name, cells[name])),
      cell("certainty", "Certainty", h("span", { class: "meter" }, cells.bar), cells.percent),
      cell("region", "90 % region", cells.region), cell("views", "Views", cells.views), cell("age", "Age", cells.age));
    cells.button.append(plain(key));
    const line = { row, cells };
    this.lines.set(key, line);
    return line;
  }

  /** @param {Record<string, any>} cells @param {HTMLElement} tr @param {Row} row */
  #write(cells, tr, row) {
    const { estimate } = row;
    const status = statusOf(row);
    const [mark, word] = STATUS[status];
    if (tr.dataset.status !== status) {
      tr.dataset.status = status;
      cells.mark.replaceChildren(shape(mark));
      cells.word.className = mark;
      setText(cells.word, word);
    }
    setText(cells.reason, row.seen ? estimate.reason : "");
    const pose = poseOf(estimate);
    const [position, angles] = pose ? [positionOf(pose), rollPitchYaw(pose)] : [[], []];
    COLUMNS.forEach((name, i) => setText(cells[name], i < 3 ? length(position[i], this.unit) : fixed(angles[i - 3], 1)));
    cells.bar.style.width = `${100 * (estimate.p_correct ?? 0)}%`;
    cells.bar.className = `fill ${mark}`;
    setText(cells.percent, estimate.cam_from_obj ? percent(estimate.p_correct) : "–");
    const region = estimate.region90;
    setText(cells.region, region ? `${fixed(region.translation_mm, 1)} mm  ${fixed(region.rotation_deg, 1)}°` : "–");
    setText(cells.views, String(estimate.views));
  }

  /** The details of the selected object, below its row. */
  #showDetail() {
    const row = this.rows?.find(({ key }) => key === this.selected);
    const line = row && this.lines.get(row.key);
    if (this.detail && this.detail.key !== row?.key) {
      this.detail.row.remove();
      this.detail = null;
    }
    if (!row || !line) return;
    this.detail ??= { key: row.key, ...detailRow(COLUMNS.length + 6) };
    if (line.row.nextElementSibling !== this.detail.row) line.row.after(this.detail.row);
    this.detail.update(row, this.header);
  }
}
