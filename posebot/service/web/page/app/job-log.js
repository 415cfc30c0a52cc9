// The log of one job, followed while it runs.

import { get, part } from "./api.js";
import { h, setText } from "./dom.js";
import { errorText } from "./terms.js";

const TAIL = 500;

export class JobLog {
  constructor() {
    /** @type {any} */ this.job = null;
    this.ended = false;
    this.title = h("h2", { id: "log-title" });
    this.text = h("pre", { class: "log", tabindex: "0", "aria-labelledby": "log-title" });
    const close = h("button", { type: "button", onclick: () => this.close() }, "Close");
    this.element = h("section", { class: "panel", hidden: true, "aria-labelledby": "log-title", onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") this.close(); } },
      h("header", { class: "panel-head" }, this.title, h("span", { class: "spacer" }), close), this.text);
  }

  /** @param {any} job */
  open(job) {
    this.job = job;
    this.ended = false;
    this.element.hidden = false;
    setText(this.title, `Log of ${job.kind} ${job.id}`);
    setText(this.text, "…");
    this.#load().then(() => { this.text.focus({ preventScroll: true }); this.element.scrollIntoView({ block: "nearest" }); });
  }

  close() {
    this.element.hidden = true;
    this.job = null;
  }

  /** Read on; once more after the job has ended. @param {any[]} jobs */
  follow(jobs) {
    const job = jobs.find(({ id }) => id === this.job?.id);
    if (!job || this.ended) return;
    this.ended = !["pending", "running"].includes(job.status);
    this.#load();
  }

  async #load() {
    const { id } = this.job;
    const text = await get(`/jobs/${part(id)}/logs?tail=${TAIL}`).then(({ lines }) => lines.join("\n") || "No output yet.", errorText);
    if (this.job?.id !== id) return;
    const atEnd = this.text.scrollTop + this.text.clientHeight >= this.text.scrollHeight - 8;
    setText(this.text, text);
    if (atEnd) this.text.scrollTop = this.text.scrollHeight;
  }
}
