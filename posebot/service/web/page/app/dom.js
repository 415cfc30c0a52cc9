// Creates elements without innerHTML: text is never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Properties: `class`, `on…` handlers, attributes; true sets an empty attribute, null and false none.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node|string|number|null|undefined|false|Node[])} children
 * @returns {any}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  assign(element, properties);
  append(element, children);
  return element;
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...Node} children
 * @returns {any}
 */
export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  assign(element, properties);
  element.append(...children);
  return element;
}

/** @param {Element} element @param {Record<string, any>} properties */
function assign(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {Element} element @param {any[]} children */
function append(element, children) {
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/** @param {string} id @returns {any} an element of index.html */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element;
}

/** Set the text if it differs, so that selections and screen readers are not disturbed. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Replace the children.
 * @param {Element} element
 * @param {...any} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Shapes that show a state without colour. 14 px, in the current colour. @type {Record<string, [string, Record<string, any>][]>} */
const SHAPES = {
  ok: [["circle", { cx: 7, cy: 7, r: 5, fill: "currentColor" }]],
  warn: [["path", { d: "M7 2l5.5 10h-11z", fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linejoin": "round" }]],
  bad: [["path", { d: "M3 3l8 8M11 3l-8 8", fill: "none", stroke: "currentColor", "stroke-width": 2.2, "stroke-linecap": "round" }]],
  quiet: [["circle", { cx: 7, cy: 7, r: 4.5, fill: "none", stroke: "currentColor", "stroke-width": 1.5, "stroke-dasharray": "2.2 2" }]],
  busy: [["path", { d: "M7 2.5a4.5 4.5 0 1 1-4.5 4.5", fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linecap": "round" }]],
};

/** @typedef {"ok"|"warn"|"bad"|"quiet"|"busy"} Mark */

/** @param {Mark} mark @returns {SVGElement} */
export function shape(mark) {
  const parts = SHAPES[mark].map(([tag, properties]) => svg(tag, properties));
  return svg("svg", { class: `shape ${mark}`, viewBox: "0 0 14 14", "aria-hidden": "true" }, ...parts);
}

/** A state: shape and word. @param {Mark} mark @param {string} word */
export function stateMark(mark, word) {
  return h("span", { class: `state ${mark}` }, shape(mark), h("span", {}, word));
}
