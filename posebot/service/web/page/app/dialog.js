// A confirmation dialog for actions that affect others.

import { byId, fill, h } from "./dom.js";

/**
 * @param {string} title @param {string} text @param {string} action label of the button
 * @returns {Promise<boolean>} false for Escape and Cancel
 */
export function confirm(title, text, action) {
  const dialog = byId("dialog");
  return new Promise((resolve) => {
    // Not by the "close" event: it is asynchronous, and would resolve a dialog that is opened at once after this one.
    const answer = (/** @type {boolean} */ yes) => () => { dialog.close(); resolve(yes); };
    fill(dialog, h("h2", { id: "dialog-title" }, title), h("p", {}, text),
      h("div", { class: "dialog-end" }, h("button", { type: "button", onclick: answer(false) }, "Cancel"),
        h("button", { type: "button", class: "primary", onclick: answer(true) }, action)));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
  });
}
