// The banner over an image that is not live: why, how old it is, and what happens next.

import { h, setText, shape } from "./dom.js";
import { seconds } from "./format.js";
import { nextAttempt } from "./freshness.js";

/** @type {Record<string, import("./dom.js").Mark>} */
const MARKS = { starting: "busy", stopped: "quiet", stale: "warn", reconnecting: "warn", lost: "bad", failed: "bad" };
const BUTTONS = { start: "Start", retry: "Reconnect" };

export class Banner {
  /** @param {HTMLElement} element @param {Record<"start"|"retry", () => void>} actions */
  constructor(element, actions) {
    this.element = element;
    this.mark = h("span", {});
    this.title = h("strong", {});
    this.text = h("span", {});
    this.age = h("p", { class: "banner-age", "aria-hidden": "true" }); // changes ten times a second: not for screen readers
    this.button = h("button", { type: "button", onclick: () => this.action && actions[this.action]() });
    /** @type {"start"|"retry"|null} */ this.action = null;
    element.append(h("p", { class: "banner-title" }, this.mark, this.title), h("p", {}, this.text), this.age, this.button);
  }

  /** @param {import("./freshness.js").Freshness} fresh @param {number|null} ageS @param {boolean} mayOperate */
  show(fresh, ageS, mayOperate) {
    const live = fresh.kind === "live";
    if (this.element.dataset.kind !== fresh.kind) {
      this.element.dataset.kind = fresh.kind;
      if (!live) this.mark.replaceChildren(shape(MARKS[fresh.kind]));
    }
    this.element.hidden = live;
    if (live) return;
    setText(this.title, fresh.title);
    setText(this.text, fresh.text);
    const old = ageS === null ? "" : `The image is ${seconds(ageS)} old.`;
    setText(this.age, [old, nextAttempt(fresh.retryInS)].filter(Boolean).join(" "));
    this.action = fresh.action === "start" && !mayOperate ? null : fresh.action ?? null;
    this.button.hidden = !this.action;
    if (this.action) setText(this.button, BUTTONS[this.action]);
  }
}
