// The outline of a mesh in the image: its silhouette, and its sharp edges that face the camera.

import { apply, project } from "./geometry.js";
import { NO_FACE } from "./meshes.js";

/** @typedef {import("./meshes.js").Shape} Shape */
/** @typedef {{fill: Path2D, border: Path2D, sharpEdges: Path2D, bounds: [number, number, number, number]}} Outline */

/**
 * Paths in display pixels, or null where part of the mesh is behind the camera.
 * @param {Shape} shape
 * @param {number[]} K row-major, image pixels
 * @param {number[][]} camFromObj
 * @param {number} scale display pixels per image pixel
 * @returns {Outline|null}
 */
export function outlineOf(shape, K, camFromObj, scale) {
  const points = projected(shape.vertices, K, camFromObj, scale);
  if (!points) return null;
  const front = new Uint8Array(shape.faces.length / 3);
  const fill = new Path2D();
  const bounds = /** @type {[number, number, number, number]} */ ([Infinity, Infinity, -Infinity, -Infinity]);
  for (let f = 0; f < front.length; f++) {
    const [a, b, c] = [2 * shape.faces[3 * f], 2 * shape.faces[3 * f + 1], 2 * shape.faces[3 * f + 2]];
    const area = (points[b] - points[a]) * (points[c + 1] - points[a + 1]) - (points[c] - points[a]) * (points[b + 1] - points[a + 1]);
    if (area >= 0) continue; // y points down, so counter-clockwise faces have negative area
    front[f] = 1;
    fill.moveTo(points[a], points[a + 1]);
    fill.lineTo(points[b], points[b + 1]);
    fill.lineTo(points[c], points[c + 1]);
    fill.closePath();
    for (const i of [a, b, c]) grow(bounds, points[i], points[i + 1]);
  }
  return { fill, ...lines(shape, points, front), bounds };
}

/** @param {Float32Array} vertices @param {number[]} K @param {number[][]} camFromObj @param {number} scale */
function projected(vertices, K, camFromObj, scale) {
  const points = new Float32Array((vertices.length / 3) * 2);
  for (let i = 0; i < vertices.length / 3; i++) {
    const p = apply(camFromObj, vertices.subarray(3 * i, 3 * i + 3));
    if (p[2] < 0.01) return null;
    const [u, v] = project(K, p);
    points[2 * i] = (u + 0.5) * scale;
    points[2 * i + 1] = (v + 0.5) * scale;
  }
  return points;
}

/** Silhouette edges lie between a face that is visible and one that is not. @param {Shape} shape @param {Float32Array} points @param {Uint8Array} front */
function lines({ edges, sharp }, points, front) {
  const border = new Path2D();
  const sharpEdges = new Path2D();
  for (let i = 0; i < sharp.length; i++) {
    const [a, b, f, g] = edges.subarray(4 * i, 4 * i + 4);
    const seen = front[f] + (g === NO_FACE ? 0 : front[g]);
    const path = seen === 1 ? border : seen === 2 && sharp[i] ? sharpEdges : null;
    path?.moveTo(points[2 * a], points[2 * a + 1]);
    path?.lineTo(points[2 * b], points[2 * b + 1]);
  }
  return { border, sharpEdges };
}

/** @param {[number, number, number, number]} bounds @param {number} x @param {number} y */
function grow(bounds, x, y) {
  if (x < bounds[0]) bounds[0] = x;
  if (y < bounds[1]) bounds[1] = y;
  if (x > bounds[2]) bounds[2] = x;
  if (y > bounds[3]) bounds[3] = y;
}

/**
 * Draw the silhouette: stroke both sides of every silhouette edge, then erase the inside.
 * @param {CanvasRenderingContext2D} target
 * @param {OffscreenCanvas} layer at least as large as the target, used for drawing only
 * @param {Outline} outline
 * @param {{color: string, width: number, halo: boolean}} style
 */
export function drawOutline(target, layer, outline, { color, width, halo }) {
  const context = layer.getContext("2d");
  if (!context) return;
  const margin = 2 * width + 4;
  const x = Math.max(0, Math.floor(outline.bounds[0] - margin));
  const y = Math.max(0, Math.floor(outline.bounds[1] - margin));
  const w = Math.min(layer.width, Math.ceil(outline.bounds[2] + margin)) - x;
  const h = Math.min(layer.height, Math.ceil(outline.bounds[3] + margin)) - y;
  if (!(w > 0 && h > 0)) return;
  context.save();
  context.clearRect(x, y, w, h);
  context.lineCap = "round";
  if (halo) stroke(context, outline.border, "rgba(8, 10, 12, 0.75)", 2 * width + 3);
  stroke(context, outline.border, color, 2 * width);
  context.globalCompositeOperation = "destination-out";
  context.fill(outline.fill);
  context.restore();
  target.drawImage(layer, x, y, w, h, x, y, w, h);
}

/** @param {OffscreenCanvasRenderingContext2D} context @param {Path2D} path @param {string} color @param {number} width */
function stroke(context, path, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke(path);
}
