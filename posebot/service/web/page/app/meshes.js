// Meshes of the models' objects, fetched once, with the edges needed to draw outlines.

import { get, part } from "./api.js";

export const NO_FACE = 0xffffffff;
const SHARP_COS = Math.cos((35 * Math.PI) / 180);

/**
 * @typedef {object} Shape
 * @property {Float32Array} vertices x, y, z; metres, object frame
 * @property {Uint32Array} faces three vertices each
 * @property {number[]|null} colors r, g, b 0..255 of each vertex
 * @property {Uint32Array} edges vertex, vertex, face, face (NO_FACE where there is no second one)
 * @property {Uint8Array} sharp of each edge: whether its faces meet at more than 35 degrees
 * @property {number} diameter metres
 */

/** @type {Map<string, Shape|null>} null: loading, or not available */
const cache = new Map();

/**
 * The mesh if it is cached; else it is fetched, and `loaded` is called when it has arrived.
 * @param {string} bundle name and version, as in a stream's results
 * @param {number} objId
 * @param {() => void} loaded
 * @returns {Shape|null}
 */
export function meshOf(bundle, objId, loaded) {
  const key = `${bundle}/${objId}`;
  const cached = cache.get(key);
  if (cached !== undefined) return cached;
  cache.set(key, null);
  get(`/models/${part(bundle.split(" ")[0])}/objects/${objId}/mesh`).then(
    (mesh) => { cache.set(key, shapeOf(mesh)); loaded(); },
    () => setTimeout(() => cache.delete(key), 5000), // requested again with a later result
  );
  return null;
}

/** @param {any} mesh as the API gives it @returns {Shape} */
export function shapeOf(mesh) {
  const vertices = Float32Array.from(mesh.vertices);
  const faces = Uint32Array.from(mesh.faces);
  return { vertices, faces, colors: mesh.colors, ...edgesOf(vertices, faces), diameter: mesh.diameter_m };
}

/** @param {Float32Array} vertices @param {Uint32Array} faces @returns {{edges: Uint32Array, sharp: Uint8Array}} */
function edgesOf(vertices, faces) {
  const same = welded(vertices);
  const normals = faceNormals(vertices, faces);
  /** @type {Map<number, number>} */ const places = new Map();
  /** @type {number[]} */ const edges = [];
  /** @type {number[]} */ const sharp = [];
  for (let i = 0; i < faces.length; i++) {
    const face = Math.floor(i / 3);
    const a = faces[i];
    const b = faces[face * 3 + ((i + 1) % 3)];
    const edge = Math.min(same[a], same[b]) * 0x4000000 + Math.max(same[a], same[b]);
    const at = places.get(edge);
    if (at === undefined) {
      places.set(edge, sharp.length);
      edges.push(a, b, face, NO_FACE);
      sharp.push(1);
    } else {
      edges[4 * at + 3] = face;
      sharp[at] = dot(normals, face, edges[4 * at + 2]) < SHARP_COS ? 1 : 0;
    }
  }
  return { edges: Uint32Array.from(edges), sharp: Uint8Array.from(sharp) };
}

/** For each vertex the first one at the same position: meshes with colours have duplicates. @param {Float32Array} vertices */
function welded(vertices) {
  /** @type {Map<string, number>} */ const places = new Map();
  return Uint32Array.from({ length: vertices.length / 3 }, (_, i) => {
    const place = `${Math.round(vertices[3 * i] * 1e5)},${Math.round(vertices[3 * i + 1] * 1e5)},${Math.round(vertices[3 * i + 2] * 1e5)}`;
    if (!places.has(place)) places.set(place, i);
    return /** @type {number} */ (places.get(place));
  });
}

/** @param {Float32Array} v @param {Uint32Array} faces @returns {Float32Array} unit normals */
function faceNormals(v, faces) {
  const normals = new Float32Array(faces.length);
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
    const [ux, uy, uz] = [v[b] - v[a], v[b + 1] - v[a + 1], v[b + 2] - v[a + 2]];
    const [wx, wy, wz] = [v[c] - v[a], v[c + 1] - v[a + 1], v[c + 2] - v[a + 2]];
    const n = [uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx];
    const norm = Math.hypot(n[0], n[1], n[2]) || 1;
    normals.set([n[0] / norm, n[1] / norm, n[2] / norm], f);
  }
  return normals;
}

/** @param {Float32Array} normals @param {number} a @param {number} b */
const dot = (normals, a, b) =>
  normals[3 * a] * normals[3 * b] + normals[3 * a + 1] * normals[3 * b + 1] + normals[3 * a + 2] * normals[3 * b + 2];
