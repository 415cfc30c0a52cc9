// The live image: the raw frame with boxes, outlines, axes and labels of the result of the same frame.

import { apply, project } from "./geometry.js";
import { fixed, percent, plain } from "./format.js";
import { place } from "./labels.js";
import { meshOf } from "./meshes.js";
import { drawOutline, outlineOf } from "./outline.js";

// Independent of the theme, as in the server's overlays.
const COLORS = { ok: "rgb(61, 220, 132)", low_certainty: "rgb(255, 179, 0)", no_pose: "rgb(255, 96, 122)" };
const AXES = ["rgb(255, 84, 84)", "rgb(84, 228, 84)", "rgb(96, 150, 255)"];
const DARK = "rgba(8, 10, 12, 0.78)";
const MARKS = { ok: "●", low_certainty: "△", no_pose: "✕" };

/** @typedef {{boxes: boolean, outlines: boolean, axes: boolean, labels: boolean}} Layers */

export class ImageView {
  /** @param {HTMLCanvasElement} canvas @param {(obj: any|null) => void} picked called with the estimate under a click */
  constructor(canvas, picked) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.layer = new OffscreenCanvas(1, 1);
    /** @type {Layers} */ this.layers = { boxes: false, outlines: true, axes: true, labels: true };
    /** @type {any} */ this.selected = null;
    /** @type {{header: any, bitmap: ImageBitmap}|null} */ this.shown = null;
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("click", (event) => picked(this.#under(event)));
  }

  /** @param {{header: any, bitmap: ImageBitmap}|null} shown */
  show(shown) {
    this.shown = shown;
    this.draw();
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(this.canvas.clientWidth * ratio), Math.round(this.canvas.clientHeight * ratio)];
    if (!width || !height) return;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, width, height);
    if (!this.shown) return;
    const { camera } = this.shown.header.result;
    const scale = Math.min(width / camera.width, height / camera.height);
    this.fit = { scale, x: (width - scale * camera.width) / 2, y: (height - scale * camera.height) / 2, ratio };
    this.context.setTransform(1, 0, 0, 1, Math.round(this.fit.x), Math.round(this.fit.y));
    this.context.drawImage(this.shown.bitmap, 0, 0, Math.round(scale * camera.width), Math.round(scale * camera.height));
    this.#drawResult(scale, ratio);
  }

  /** @param {number} scale @param {number} ratio */
  #drawResult(scale, ratio) {
    const { result, bundle } = /** @type {any} */ (this.shown).header;
    const [width, height] = [Math.ceil(scale * result.camera.width), Math.ceil(scale * result.camera.height)];
    if (this.layer.width !== width || this.layer.height !== height) Object.assign(this.layer, { width, height });
    for (const estimate of [...result.estimates].sort(farFirst)) {
      if (this.layers.boxes || estimate.status === "no_pose") this.#drawBox(estimate, scale, ratio);
      if (estimate.cam_from_obj) this.#drawPose(estimate, bundle, result.camera.K, scale, ratio);
    }
    if (this.layers.labels) this.#drawLabels(result.estimates, scale, ratio, width, height);
  }

  /** @param {any} estimate @param {number} scale @param {number} ratio */
  #drawBox(estimate, scale, ratio) {
    const box = scaled(estimate.box_xyxy, scale);
    this.context.lineWidth = ratio;
    this.context.strokeStyle = COLORS[estimate.status];
    this.context.setLineDash(estimate.status === "ok" ? [] : [4 * ratio, 3 * ratio]);
    this.context.strokeRect(box.x, box.y, box.w, box.h);
    this.context.setLineDash([]);
  }

  /** @param {any} estimate @param {string} bundle @param {number[]} K @param {number} scale @param {number} ratio */
  #drawPose(estimate, bundle, K, scale, ratio) {
    const shape = meshOf(bundle, estimate.obj_id, () => this.draw());
    if (!shape) return;
    const sure = estimate.status === "ok";
    const chosen = this.selected?.(estimate);
    const outline = this.layers.outlines && outlineOf(shape, K, estimate.cam_from_obj, scale);
    if (outline) {
      const width = (chosen ? 3 : sure ? 1.75 : 1.25) * ratio;
      drawOutline(this.context, this.layer, outline, { color: COLORS[estimate.status], width, halo: sure || chosen });
      this.context.strokeStyle = COLORS[estimate.status];
      this.context.globalAlpha = 0.55;
      this.context.lineWidth = 0.75 * ratio;
      if (sure) this.context.stroke(outline.sharpEdges);
      this.context.globalAlpha = 1;
    }
    if (this.layers.axes) this.#drawAxes(estimate.cam_from_obj, (sure ? 0.4 : 0.2) * shape.diameter, K, scale, ratio);
  }

  /** @param {number[][]} camFromObj @param {number} length @param {number[]} K @param {number} scale @param {number} ratio */
  #drawAxes(camFromObj, length, K, scale, ratio) {
    const ends = [[0, 0, 0], [length, 0, 0], [0, length, 0], [0, 0, length]].map((end) => apply(camFromObj, end));
    if (ends.some((end) => end[2] < 0.01)) return;
    const pixels = ends.map((end) => project(K, end).map((value) => (value + 0.5) * scale));
    const order = [1, 2, 3].sort((a, b) => ends[b][2] - ends[a][2]);
    this.context.lineCap = "round";
    for (const axis of order) {
      for (const [color, width] of [[DARK, 3.5], [AXES[axis - 1], 1.75]]) {
        this.context.strokeStyle = /** @type {string} */ (color);
        this.context.lineWidth = /** @type {number} */ (width) * ratio;
        this.context.beginPath();
        this.context.moveTo(pixels[0][0], pixels[0][1]);
        this.context.lineTo(pixels[axis][0], pixels[axis][1]);
        this.context.stroke();
      }
    }
  }

  /** @param {any[]} estimates @param {number} scale @param {number} ratio @param {number} width @param {number} height */
  #drawLabels(estimates, scale, ratio, width, height) {
    const context = this.context;
    const [size, pad] = [Math.round(11.5 * ratio), Math.round(4 * ratio)];
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    const boxes = estimates.map((estimate) => scaled(estimate.box_xyxy, scale));
    /** @type {import("./labels.js").Box[]} */ const placed = [];
    for (const [index, estimate] of estimates.entries()) {
      const text = labelOf(estimate);
      const [w, h] = [Math.ceil(context.measureText(text).width) + 2 * pad, size + 2 * Math.round(2.5 * ratio)];
      const spot = place(w, h, boxes[index], boxes, placed, width, height);
      placed.push(spot);
      context.fillStyle = DARK;
      context.fillRect(spot.x, spot.y, w, h);
      context.fillStyle = COLORS[estimate.status];
      context.fillText(text, spot.x + pad, spot.y + h / 2 + 0.5 * ratio);
    }
  }

  /** @param {MouseEvent} event @returns {any|null} the estimate with the smallest box there */
  #under(event) {
    if (!this.shown || !this.fit) return null;
    const { scale, x, y, ratio } = this.fit;
    const u = (event.offsetX * ratio - x) / scale - 0.5;
    const v = (event.offsetY * ratio - y) / scale - 0.5;
    const area = (/** @type {any} */ { box_xyxy: b }) => (b[2] - b[0]) * (b[3] - b[1]);
    const inside = (/** @type {any} */ { box_xyxy: b }) => u >= b[0] && u <= b[2] && v >= b[1] && v <= b[3];
    return this.shown.header.result.estimates.filter(inside).sort((a, b) => area(a) - area(b))[0] ?? null;
  }
}

/** @param {any} estimate */
function labelOf(estimate) {
  const name = plain(estimate.label) + (estimate.track_id === null ? "" : ` #${estimate.track_id}`);
  if (estimate.status === "no_pose") return `${MARKS[estimate.status]} ${name}  no pose`;
  const region = estimate.region90;
  const within = region ? `  ±${fixed(region.translation_mm, 1)} mm ±${fixed(region.rotation_deg, 0)}°` : "";
  return `${MARKS[estimate.status]} ${name}  ${percent(estimate.p_correct)}${within}`;
}

/** @param {number[]} box xyxy @param {number} scale @returns {import("./labels.js").Box} */
const scaled = ([x0, y0, x1, y1], scale) =>
  ({ x: (x0 + 0.5) * scale, y: (y0 + 0.5) * scale, w: (x1 - x0) * scale, h: (y1 - y0) * scale });

/** Confident estimates on top, then near ones. @param {any} a @param {any} b */
function farFirst(a, b) {
  const sure = Number(a.status === "ok") - Number(b.status === "ok");
  return sure || (b.cam_from_obj?.[2][3] ?? 0) - (a.cam_from_obj?.[2][3] ?? 0);
}
