// The 3-D view: base frame, camera, objects. Rendered on demand.

import * as THREE from "../vendor/three.min.js";
import { plain } from "./format.js";
import { multiply, positionOf } from "./geometry.js";
import { meshOf } from "./meshes.js";
import { SceneNames } from "./scene-names.js";
import { SceneObject } from "./scene-object.js";
import { frustumPoints, lineGeometry, Trail } from "./scene-parts.js";
import { statusOf } from "./tracks.js";
import { Viewpoint } from "./viewpoint.js";

const VIEW_FROM_CAM = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]; // camera frame with y down
const TOKENS = { ok: "--ok", low_certainty: "--warn", unseen: "--muted", accent: "--accent", trail: "--muted", camera: "--text", grid: "--line" };

/** @typedef {{enlarged: number, trails: boolean, names: boolean}} Options */

export class SceneView {
  /** @param {HTMLCanvasElement} canvas @param {HTMLElement} names layer for names @param {(key: string|null) => void} picked */
  constructor(canvas, names, picked) {
    this.canvas = canvas;
    this.names = new SceneNames(names);
    /** @type {Options} */ this.options = { enlarged: 1, trails: true, names: true };
    /** @type {Map<string, SceneObject>} */ this.objects = new Map();
    /** @type {string|null} */ this.selected = null;
    /** @type {any} */ this.last = null;
    this.based = true;
    this.viewFromCam = VIEW_FROM_CAM;
    this.requested = false;
    const gl = canvas.getContext("webgl2", { antialias: true, alpha: true });
    this.usable = Boolean(gl);
    if (!gl) return;
    /** @type {any} */ this.renderer = new THREE.WebGLRenderer({ canvas, context: gl, antialias: true, alpha: true });
    this.#build();
    /** @type {any} */ this.view = new Viewpoint(canvas, () => this.redraw(), (at) => picked(this.#under(at)));
    new ResizeObserver(() => this.redraw()).observe(canvas);
    addEventListener("themechange", () => this.recolor());
    document.addEventListener("visibilitychange", () => this.redraw());
  }

  #build() {
    /** @type {any} */ this.scene = new THREE.Scene();
    this.scene.add(new THREE.HemisphereLight(0xffffff, 0x8a8f98, 2.2));
    const sun = new THREE.DirectionalLight(0xffffff, 1.6);
    sun.position.set(0.6, -0.8, 2);
    this.scene.add(sun);
    /** @type {any} */ this.axes = new THREE.AxesHelper(0.1);
    this.scene.add(this.axes);
    /** @type {any} */ this.frustum = new THREE.LineSegments(lineGeometry(new Float32Array(60)), new THREE.LineBasicMaterial());
    this.frustum.frustumCulled = false;
    this.scene.add(this.frustum);
    /** @type {any} */ this.path = new Trail("#888888");
    this.scene.add(this.path.line);
    this.recolor();
  }

  /** Colours of the theme. */
  recolor() {
    if (!this.scene) return;
    const style = getComputedStyle(document.documentElement);
    /** @type {any} */ this.colors = Object.fromEntries(Object.entries(TOKENS).map(([name, token]) => [name, style.getPropertyValue(token).trim()]));
    if (this.grid) this.scene.remove(this.grid);
    this.grid?.dispose();
    /** @type {any} */ this.grid = new THREE.GridHelper(2, 20, this.colors.trail, this.colors.grid); // 10 cm
    this.grid.rotation.x = Math.PI / 2;
    this.scene.add(this.grid);
    this.frustum.material.color.set(this.colors.camera);
    this.path.line.material.color.set(this.colors.trail);
    if (this.last) this.update(this.last.header, this.last.rows);
  }

  /** @param {any} header a StreamResult @param {import("./tracks.js").Row[]} rows */
  update(header, rows) {
    if (!this.usable) return;
    const fresh = this.last?.header !== header;
    this.last = { header, rows };
    const based = Boolean(header.base_from_cam);
    const aFromCam = header.base_from_cam ?? VIEW_FROM_CAM;
    if (based !== this.based) this.clear();
    this.based = based;
    this.grid.visible = this.axes.visible = this.path.line.visible = based;
    if (fresh) this.#moveCamera(header.result.camera, aFromCam);
    const posed = rows.filter(({ seen, estimate }) => (based ? estimate.base_from_obj : seen && estimate.cam_from_obj));
    for (const row of posed) this.#place(row, header.bundle, aFromCam);
    const keys = new Set(posed.map((row) => row.key));
    for (const [key, object] of this.objects) if (!keys.has(key)) this.#remove(key, object);
    this.view.frame([...[...this.objects.values()].map((object) => object.position), ...(based ? [[0, 0, 0]] : []), positionOf(aFromCam)]);
    this.redraw();
  }

  /** @param {any} camera @param {number[][]} aFromCam */
  #moveCamera(camera, aFromCam) {
    const attribute = this.frustum.geometry.getAttribute("position");
    attribute.array.set(frustumPoints(camera, aFromCam));
    attribute.needsUpdate = true;
    this.path.add(positionOf(aFromCam));
    this.path.line.visible &&= this.options.trails;
  }

  /** @param {import("./tracks.js").Row} row @param {string} bundle @param {number[][]} aFromCam */
  #place(row, bundle, aFromCam) {
    let object = this.objects.get(row.key);
    if (!object) {
      this.objects.set(row.key, (object = new SceneObject(row.key, this.colors)));
      this.scene.add(object.group);
    }
    const shape = meshOf(bundle, row.estimate.obj_id, () => this.last && this.update(this.last.header, this.last.rows));
    const style = { ...this.options, status: statusOf(row), selected: row.key === this.selected, colors: this.colors };
    const pose = this.based ? row.estimate.base_from_obj : multiply(VIEW_FROM_CAM, row.estimate.cam_from_obj);
    object.update(shape, row.estimate, pose, aFromCam, style);
  }

  /** @param {string} key @param {SceneObject} object */
  #remove(key, object) {
    this.scene.remove(object.group);
    object.dispose();
    this.objects.delete(key);
  }

  /** Remove everything, for another stream. */
  clear() {
    if (!this.usable) return;
    for (const [key, object] of this.objects) this.#remove(key, object);
    this.path.clear();
    this.frustum.geometry.getAttribute("position").array.fill(0);
    this.frustum.geometry.getAttribute("position").needsUpdate = true;
    this.last = null;
    this.view.framed = false;
    this.redraw();
  }

  /** Render once, in the next animation frame. */
  redraw() {
    if (!this.usable || this.requested || document.hidden) return;
    this.requested = true;
    requestAnimationFrame(() => {
      this.requested = false;
      const { clientWidth: width, clientHeight: height } = this.canvas;
      if (!width || !height) return;
      this.renderer.setPixelRatio(Math.min(window.devicePixelRatio || 1, 2));
      this.renderer.setSize(width, height, false);
      this.view.resize(width, height);
      this.renderer.render(this.scene, this.view.camera);
      this.names.draw(this.options.names ? this.#marks() : new Map(), this.view.camera, width, height);
    });
  }

  /** @returns {Map<string, number[]>} positions of the names, the selected object's first */
  #marks() {
    const objects = [...this.objects.values()].sort((a, b) => Number(b.key === this.selected) - Number(a.key === this.selected));
    const marks = new Map(objects.map((object) => [plain(object.key), object.position]));
    if (this.based) {
      marks.set("base", [0, 0, 0]);
      for (const [i, axis] of ["x", "y", "z"].entries()) marks.set(axis, [0, 1, 2].map((j) => (j === i ? 0.11 : 0)));
    }
    if (this.last) marks.set("camera", positionOf(this.last.header.base_from_cam ?? VIEW_FROM_CAM));
    return marks;
  }

  /** @param {any} at x, y in -1..1 @returns {string|null} */
  #under(at) {
    const ray = new THREE.Raycaster();
    ray.setFromCamera(at, this.view.camera);
    const meshes = [...this.objects.values()].map((object) => object.mesh).filter(Boolean);
    return ray.intersectObjects(meshes, false)[0]?.object.userData.key ?? null;
  }
}
