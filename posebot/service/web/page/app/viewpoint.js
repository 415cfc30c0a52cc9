// Viewpoint of the 3-D view: mouse, touch, keyboard, and presets.

import * as THREE from "../vendor/three.min.js";

const MARGIN = 1.25;
const STEP = Math.PI / 24;

export class Viewpoint {
  /** @param {HTMLCanvasElement} canvas @param {() => void} changed @param {(at: any) => void} clicked */
  constructor(canvas, changed, clicked) {
    this.camera = new THREE.PerspectiveCamera(40, 1, 0.01, 50);
    this.camera.up.set(0, 0, 1);
    this.camera.position.set(-0.6, -1.1, 0.9);
    this.controls = new THREE.OrbitControls(this.camera, canvas);
    this.controls.addEventListener("change", changed);
    this.controls.zoomToCursor = true;
    this.changed = changed;
    this.framed = false;
    /** @type {number[][]} */ this.points = [];
    this.#listen(canvas, clicked);
  }

  /** @param {HTMLCanvasElement} canvas @param {(at: any) => void} clicked */
  #listen(canvas, clicked) {
    /** @type {[number, number]} */ let down = [0, 0];
    canvas.addEventListener("pointerdown", (event) => { down = [event.offsetX, event.offsetY]; });
    canvas.addEventListener("click", (event) => {
      if (Math.hypot(event.offsetX - down[0], event.offsetY - down[1]) > 4) return; // dragged, not clicked
      clicked(new THREE.Vector2((event.offsetX / canvas.clientWidth) * 2 - 1, 1 - (event.offsetY / canvas.clientHeight) * 2));
    });
    canvas.addEventListener("keydown", (event) => {
      /** @type {Record<string, () => void>} */
      const keys = {
        ArrowLeft: () => this.#turn(-STEP, 0), ArrowRight: () => this.#turn(STEP, 0), ArrowUp: () => this.#turn(0, -STEP),
        ArrowDown: () => this.#turn(0, STEP), "+": () => this.#nearer(0.85), "-": () => this.#nearer(1 / 0.85),
      };
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  /** @param {number} around @param {number} over radians */
  #turn(around, over) {
    const offset = this.camera.position.clone().sub(this.controls.target);
    const radius = offset.length();
    const up = this.camera.up;
    offset.applyAxisAngle(up, around);
    const polar = offset.angleTo(up);
    const side = up.clone().cross(offset).normalize();
    offset.applyAxisAngle(side, Math.max(0.02, Math.min(Math.PI - 0.02, polar + over)) - polar);
    this.camera.position.copy(this.controls.target).add(offset.setLength(radius));
    this.controls.update();
    this.changed();
  }

  /** @param {number} factor */
  #nearer(factor) {
    this.camera.position.sub(this.controls.target).multiplyScalar(factor).add(this.controls.target);
    this.controls.update();
    this.changed();
  }

  /** The points to keep in view; the first call moves the viewpoint. @param {any[]} points */
  frame(points) {
    this.points = points.filter(Boolean);
    if (this.framed || this.points.length < 3) return;
    this.framed = true;
    this.show("side");
  }

  /** @param {"side"|"top"} place */
  show(place) {
    const from = place === "top" ? [-0.001, 0, 1] : [-0.75, -0.85, 0.75];
    const points = this.points.map((point) => new THREE.Vector3(...point));
    if (!points.length) return;
    const low = points.reduce((a, b) => a.clone().min(b));
    const high = points.reduce((a, b) => a.clone().max(b));
    const target = low.add(high).multiplyScalar(0.5);
    const back = new THREE.Vector3(...from).normalize();
    this.controls.target.copy(target);
    this.camera.position.copy(back).multiplyScalar(this.#distance(points, target, back)).add(target);
    this.controls.update();
    this.changed();
  }

  /** Distance from which all points are in view. @param {any[]} points @param {any} target @param {any} back unit vector to the eye */
  #distance(points, target, back) {
    const right = this.camera.up.clone().cross(back).normalize();
    const up = back.clone().cross(right);
    const slope = Math.tan((this.camera.fov * Math.PI) / 360);
    const needed = points.map((point) => {
      const offset = point.clone().sub(target);
      const wide = Math.abs(offset.dot(right)) / (slope * this.camera.aspect);
      return offset.dot(back) + Math.max(wide, Math.abs(offset.dot(up)) / slope);
    });
    return Math.max(0.4, ...needed) * MARGIN;
  }

  /** The view of the robot's camera. @param {number[][]} aFromCam @param {any} camera intrinsics */
  showCamera(aFromCam, camera) {
    const column = (/** @type {number} */ j) => new THREE.Vector3(aFromCam[0][j], aFromCam[1][j], aFromCam[2][j]);
    const eye = column(3);
    const depths = this.points.map((point) => new THREE.Vector3(...point).sub(eye).dot(column(2))).filter((depth) => depth > 0.02);
    const depth = depths.length ? depths.reduce((a, b) => a + b) / depths.length : 0.5;
    const shown = 2 * Math.atan(camera.height / (2 * camera.K[4]));
    const back = depth * (Math.tan(shown / 2) / Math.tan((this.camera.fov * Math.PI) / 360));
    this.controls.target.copy(eye).addScaledVector(column(2), depth);
    this.camera.position.copy(this.controls.target).addScaledVector(column(2), -back);
    this.controls.update();
    this.changed();
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
  }
}
