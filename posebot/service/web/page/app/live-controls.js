// The controls of the live view.

import { byId, h, setText } from "./dom.js";
import { remember, remembered } from "./settings.js";

/** @type {[keyof import("./image-view.js").Layers, string][]} */
const LAYERS = [["outlines", "Outlines"], ["axes", "Axes"], ["boxes", "Boxes"], ["labels", "Labels"]];

/** @param {import("./live.js").Live} live */
export function controls(live) {
  for (const [layer, name] of LAYERS) {
    const start = remembered(`layer.${layer}`, String(live.image.layers[layer])) === "true";
    live.image.layers[layer] = start;
    byId("layers").append(toggle(name, start, (on) => {
      live.image.layers[layer] = on;
      remember(`layer.${layer}`, String(on));
      live.image.draw();
    }));
  }
  const redraw = () => live.scene.last && live.scene.update(live.scene.last.header, live.scene.last.rows);
  byId("space-options").append(
    toggle("Trails", true, (on) => { live.scene.options.trails = on; redraw(); }),
    toggle("Names", true, (on) => { live.scene.options.names = on; live.scene.redraw(); }),
  );
  byId("enlarged").addEventListener("change", (/** @type {any} */ event) => {
    live.scene.options.enlarged = Number(event.target.value);
    redraw();
  });
  for (const button of document.querySelectorAll("[data-place]")) {
    button.addEventListener("click", () => setViewpoint(live, /** @type {HTMLElement} */ (button).dataset.place ?? "side"));
  }
  units(live);
  byId("view-live").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape" && live.selected) {
      const row = document.querySelector("#objects tr.selected button");
      live.choose(null);
      /** @type {HTMLElement|null} */ (row)?.focus();
    }
  });
}

/** @param {string} name @param {boolean} on @param {(on: boolean) => void} changed @returns {HTMLButtonElement} */
function toggle(name, on, changed) {
  const button = h("button", { type: "button", class: "plain", "aria-pressed": String(on) }, name);
  button.addEventListener("click", () => {
    const now = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(now));
    changed(now);
  });
  return button;
}

/** @param {import("./live.js").Live} live @param {string} place */
function setViewpoint(live, place) {
  const { scene } = live;
  if (!scene.usable || !scene.last) return;
  const { base_from_cam: pose, result } = scene.last.header;
  if (place === "camera") scene.view.showCamera(pose ?? scene.viewFromCam, result.camera);
  else scene.view.show(place === "top" ? "top" : "side");
}

/** @param {import("./live.js").Live} live */
function units(live) {
  const buttons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-unit]"));
  const use = (/** @type {string} */ unit) => {
    live.table.unit = unit === "m" ? "m" : "mm";
    remember("unit", live.table.unit);
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.unit === live.table.unit));
    byId("objects").closest("table").dataset.unit = live.table.unit;
    for (const place of document.querySelectorAll("table.objects .unit")) setText(place, live.table.unit);
    if (live.table.rows && live.table.header) live.table.update(live.table.rows, live.table.header);
  };
  for (const button of buttons) button.addEventListener("click", () => use(button.dataset.unit ?? "mm"));
  use(remembered("unit", "mm"));
}
