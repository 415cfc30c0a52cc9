// One object in the 3-D view: mesh, edges, ellipsoid, trail.

import * as THREE from "../vendor/three.min.js";
import { positionOf } from "./geometry.js";
import { edgeGeometry, ellipsoidMatrix, matrixOf, meshGeometry, Trail } from "./scene-parts.js";

const OPACITY = { ok: 1, low_certainty: 0.4, no_pose: 0, unseen: 0.16 };
const SPHERE = new THREE.SphereGeometry(1, 24, 16);
const RINGS = new THREE.WireframeGeometry(new THREE.SphereGeometry(1, 12, 8));

/** @type {WeakMap<object, {mesh: any, edges: any}>} */
const geometries = new WeakMap();

/** @param {import("./meshes.js").Shape} shape */
function geometriesOf(shape) {
  let found = geometries.get(shape);
  if (!found) geometries.set(shape, (found = { mesh: meshGeometry(shape), edges: edgeGeometry(shape) }));
  return found;
}

export class SceneObject {
  /** @param {string} key @param {any} colors */
  constructor(key, colors) {
    this.key = key;
    this.group = new THREE.Group();
    this.material = new THREE.MeshLambertMaterial({ vertexColors: true, flatShading: true, transparent: true });
    this.lines = new THREE.LineBasicMaterial({ transparent: true });
    this.ball = new THREE.Mesh(SPHERE, new THREE.MeshBasicMaterial({ transparent: true, opacity: 0.18, depthTest: false, depthWrite: false }));
    this.rings = new THREE.LineSegments(RINGS, new THREE.LineBasicMaterial({ transparent: true, opacity: 0.55, depthTest: false }));
    for (const part of [this.ball, this.rings]) Object.assign(part, { matrixAutoUpdate: false, renderOrder: 2 });
    this.trail = new Trail(colors.trail);
    this.group.add(this.ball, this.rings, this.trail.line);
    /** @type {any} */ this.mesh = null;
    /** @type {any} */ this.position = null; // metres, once it is known
  }

  /**
   * @param {import("./meshes.js").Shape|null} shape
   * @param {any} estimate @param {number[][]} pose a_from_obj @param {number[][]} aFromCam
   * @param {{status: string, selected: boolean, enlarged: number, trails: boolean, colors: any}} style
   */
  update(shape, estimate, pose, aFromCam, { status, selected, enlarged, trails, colors }) {
    if (shape && !this.mesh) this.#build(shape);
    this.position = positionOf(pose);
    if (this.mesh) {
      this.mesh.matrix.copy(matrixOf(pose));
      this.edges.matrix.copy(this.mesh.matrix);
    }
    const opacity = OPACITY[status];
    this.material.opacity = opacity;
    this.material.depthWrite = opacity === 1;
    const color = selected ? colors.accent : colors[status];
    this.lines.color.set(color);
    this.lines.opacity = selected ? 1 : status === "unseen" ? 0.3 : 0.75;
    this.#ellipsoid(estimate, aFromCam, status === "unseen" ? 0 : enlarged, color);
    this.trail.line.visible = trails;
    if (status !== "unseen") this.trail.add(this.position);
  }

  /** @param {any} estimate @param {number[][]} aFromCam @param {number} enlarged 0: none @param {string} color */
  #ellipsoid(estimate, aFromCam, enlarged, color) {
    const visible = enlarged > 0 && Boolean(estimate.covariance);
    this.ball.visible = this.rings.visible = visible;
    if (!visible || !this.position) return;
    this.ball.matrix.copy(ellipsoidMatrix(aFromCam, estimate.covariance, this.position, enlarged));
    this.rings.matrix.copy(this.ball.matrix);
    this.ball.material.color.set(color);
    this.rings.material.color.set(color);
  }

  /** @param {import("./meshes.js").Shape} shape */
  #build(shape) {
    const { mesh, edges } = geometriesOf(shape);
    this.mesh = new THREE.Mesh(mesh, this.material);
    this.edges = new THREE.LineSegments(edges, this.lines);
    this.mesh.userData.key = this.key;
    for (const part of [this.mesh, this.edges]) part.matrixAutoUpdate = false;
    this.group.add(this.mesh, this.edges);
  }

  dispose() {
    this.trail.dispose();
    for (const material of [this.material, this.lines, this.ball.material, this.rings.material]) material.dispose();
  }
}
