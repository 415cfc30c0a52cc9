// A question before something that others will notice.

import { byId, fill, h } from "./dom.js";

/**
 * @param {string} title @param {string} text @param {string} action what the button says
 * @returns {Promise<boolean>} false for Escape and Cancel
 */
export function confirm(title, text, action) {
  const dialog = byId("dialog");
  return new Promise((resolve) => {
    // Not by "close": that event comes late, and would answer the next question if that is asked at once.
    const answer = (/** @type {boolean} */ yes) => () => { dialog.close(); resolve(yes); };
    fill(dialog, h("h2", { id: "dialog-title" }, title), h("p", {}, text),
      h("div", { class: "dialog-end" }, h("button", { type: "button", onclick: answer(false) }, "Cancel"),
        h("button", { type: "button", class: "primary", onclick: answer(true) }, action)));
    dialog.oncancel = () => resolve(false);
    dialog.showModal();
  });
}
