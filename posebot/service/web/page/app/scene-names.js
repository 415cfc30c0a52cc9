// Names in the 3-D view, as HTML text over the canvas.

import * as THREE from "../vendor/three.min.js";
import { h } from "./dom.js";

const LINE_PX = 15;
const LETTER_PX = 6.5;

export class SceneNames {
  /** @param {HTMLElement} layer over the canvas */
  constructor(layer) {
    this.layer = layer;
    /** @type {Map<string, HTMLElement>} */ this.elements = new Map();
  }

  /** @param {Map<string, number[]>} marks name and position, metres @param {any} camera @param {number} width px @param {number} height */
  draw(marks, camera, width, height) {
    for (const [text, element] of this.elements) if (!marks.has(text)) element.hidden = true;
    /** @type {{x: number, y: number, w: number}[]} */ const placed = [];
    for (const [text, place] of marks) {
      const point = new THREE.Vector3(...place).project(camera);
      const spot = { x: ((point.x + 1) / 2) * width, y: ((1 - point.y) / 2) * height, w: LETTER_PX * text.length + 6 };
      const taken = () => placed.some((other) => overlap(other, spot));
      for (let tries = 0; tries < 3 && taken(); tries++) spot.y += LINE_PX;
      const element = this.#element(text);
      element.hidden = Math.max(Math.abs(point.x), Math.abs(point.y), Math.abs(point.z)) > 1 || taken();
      if (element.hidden) continue;
      placed.push(spot);
      element.style.transform = `translate(${spot.x}px, ${spot.y}px)`;
    }
  }

  /** @param {string} text @returns {HTMLElement} */
  #element(text) {
    const found = this.elements.get(text) ?? h("span", {}, text);
    if (!found.isConnected) this.layer.append(found);
    this.elements.set(text, found);
    return found;
  }
}

/** @param {{x: number, y: number, w: number}} a @param {{x: number, y: number, w: number}} b */
const overlap = (a, b) => Math.abs(a.y - b.y) < LINE_PX && a.x < b.x + b.w && b.x < a.x + a.w;
