// Geometry of the 3-D view. Metres.

import * as THREE from "../vendor/three.min.js";
import { apply, cholesky, rotatedCovariance } from "./geometry.js";

const CHI2_90 = 6.251; // chi-square with 3 degrees of freedom, 90 %
const FRUSTUM_M = 0.1; // length of the drawn frustum

/** @param {number[][]} m rows @returns {any} */
export const matrixOf = (m) => new THREE.Matrix4().set(...m.flat());

/** @param {import("./meshes.js").Shape} shape @returns {any} */
export function meshGeometry(shape) {
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(shape.vertices, 3));
  const colors = shape.colors
    ? Float32Array.from(shape.colors, (value) => (value / 255) ** 2.2) // three works in linear light
    : new Float32Array(shape.vertices.length).fill(0.5);
  geometry.setAttribute("color", new THREE.BufferAttribute(colors, 3));
  geometry.setIndex(new THREE.BufferAttribute(shape.faces, 1));
  return geometry;
}

/** Sharp edges of a mesh. @param {import("./meshes.js").Shape} shape @returns {any} */
export function edgeGeometry({ vertices, edges, sharp }) {
  /** @type {number[]} */ const points = [];
  for (let i = 0; i < sharp.length; i++) {
    if (!sharp[i]) continue;
    for (const vertex of [edges[4 * i], edges[4 * i + 1]]) points.push(...vertices.subarray(3 * vertex, 3 * vertex + 3));
  }
  return lineGeometry(Float32Array.from(points));
}

/** @param {Float32Array} points x, y, z of both ends of each line @returns {any} */
export function lineGeometry(points) {
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(points, 3));
  return geometry;
}

/** Lines of a camera's frustum in the frame a of a_from_cam. @param {any} camera @param {number[][]} aFromCam */
export function frustumPoints({ K, width, height }, aFromCam) {
  const corner = (/** @type {number} */ u, /** @type {number} */ v) =>
    apply(aFromCam, [((u - K[2]) / K[0]) * FRUSTUM_M, ((v - K[5]) / K[4]) * FRUSTUM_M, FRUSTUM_M]);
  const [right, bottom] = [width - 0.5, height - 0.5];
  const corners = [corner(-0.5, -0.5), corner(right, -0.5), corner(right, bottom), corner(-0.5, bottom)];
  const up = [corner(0.4 * right, -0.5), corner(0.5 * right, -0.12 * bottom), corner(0.6 * right, -0.5)]; // which way is up
  const eye = apply(aFromCam, [0, 0, 0]);
  const lines = corners.flatMap((point, i) => [eye, point, point, corners[(i + 1) % 4]]);
  return Float32Array.from([...lines, up[0], up[1], up[1], up[2]].flat());
}

/**
 * Takes the unit sphere to where the object's origin lies 90 times in 100, enlarged.
 * @param {number[][]} aFromCam rotation of the covariance's frame
 * @param {number[][]} covariance 6x6 along the camera's axes
 * @param {number[]} at centre
 * @param {number} enlarged
 */
export function ellipsoidMatrix(aFromCam, covariance, at, enlarged) {
  const scale = Math.sqrt(CHI2_90) * enlarged;
  const L = cholesky(rotatedCovariance(aFromCam, covariance)).map((row) => row.map((value) => value * scale));
  return matrixOf([[...L[0], at[0]], [...L[1], at[1]], [...L[2], at[2]], [0, 0, 0, 1]]);
}

/** The way something went: the newest points of a line. */
export class Trail {
  /** @param {any} color @param {number} [most] */
  constructor(color, most = 240) {
    this.most = most;
    /** @type {number[][]} */ this.points = [];
    this.line = new THREE.Line(lineGeometry(new Float32Array(3 * most)), new THREE.LineBasicMaterial({ color, transparent: true, opacity: 0.8 }));
    this.line.frustumCulled = false;
    this.line.geometry.setDrawRange(0, 0);
  }

  /** @param {number[]} point metres; nearer than half a millimetre to the last one it is left out */
  add(point) {
    const last = this.points.at(-1);
    if (last && Math.hypot(point[0] - last[0], point[1] - last[1], point[2] - last[2]) < 5e-4) return;
    this.points.push(point);
    if (this.points.length > this.most) this.points.shift();
    const attribute = this.line.geometry.getAttribute("position");
    attribute.array.set(this.points.flat());
    attribute.needsUpdate = true;
    this.line.geometry.setDrawRange(0, this.points.length);
  }

  clear() {
    this.points = [];
    this.line.geometry.setDrawRange(0, 0);
  }

  dispose() {
    this.line.geometry.dispose();
    this.line.material.dispose();
  }
}
