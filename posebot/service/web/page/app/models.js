// The models of the configuration: which one is active, objects, metrics.

import { get, part, post } from "./api.js";
import { fill, h, setText, stateMark } from "./dom.js";
import { confirm } from "./dialog.js";
import { plain } from "./format.js";
import { modelDetail } from "./model-detail.js";
import { errorText } from "./terms.js";

const ACTIVATE_MS = 120000;

export class ModelsView {
  /** @param {HTMLElement} element @param {import("./main.js").Session} session @param {() => void} changed */
  constructor(element, session, changed) {
    this.session = session;
    this.changed = changed;
    /** @type {string|null} */ this.opened = null;
    this.body = h("tbody", { role: "rowgroup" });
    this.problem = h("p", { class: "problem", role: "status", hidden: true });
    this.status = h("p", { class: "hidden-visually", role: "status" });
    this.detail = h("section", { class: "panel", hidden: true, "aria-labelledby": "model-title",
      onkeydown: (/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") this.#open(null); } });
    const heads = ["Model", "Version", "State", "Objects", "Licence", ""];
    element.append(
      h("div", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", { id: "models-title" }, "Models")), this.problem, this.status,
        h("div", { class: "scroll" }, h("table", { class: "list", role: "table", "aria-labelledby": "models-title" },
          h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((name) => h("th", { scope: "col", role: "columnheader" }, name)))), this.body))),
      this.detail);
  }

  async refresh() {
    try {
      const { active, models } = await get("/models");
      this.active = active;
      fill(this.body, models.map((/** @type {any} */ model) => this.#row(model)));
      this.problem.hidden = true;
      await this.#open(this.opened ?? active, false);
    } catch (error) {
      this.problem.hidden = false;
      setText(this.problem, `The models could not be listed. ${errorText(error)}`);
    }
  }

  /** @param {any} model */
  #row(model) {
    const state = model.error ? stateMark("bad", "Cannot be opened") : model.active ? stateMark("ok", "Active") : h("span", { class: "muted" }, "Ready");
    const may = this.session.may("operate");
    const activate = h("button", { type: "button", "aria-label": `Activate ${model.name}`, title: may ? "" : "Needs a key with the scope “operate”", onclick: () => this.#activate(model, activate) }, "Activate");
    activate.disabled = !may;
    return h("tr", { role: "row", "data-model": model.name },
      h("th", { scope: "row", role: "rowheader" }, model.name),
      h("td", { role: "cell", "data-label": "Version" }, model.version ?? "–"),
      h("td", { role: "cell", "data-label": "State" }, state, model.error && h("p", { class: "problem-text" }, model.error)),
      h("td", { role: "cell", "data-label": "Objects" }, model.objects.map(plain).join(", ") || "–"),
      h("td", { role: "cell", "data-label": "Licence" }, model.licence ?? "–"),
      h("td", { role: "cell", class: "actions" },
        !model.error && h("button", { type: "button", "aria-label": `Details of ${model.name}`, onclick: () => this.#open(model.name) }, "Details"),
        !model.error && !model.active && activate));
  }

  /** @param {string|null} name @param {boolean} [focus] */
  async #open(name, focus = true) {
    this.opened = name;
    this.detail.hidden = !name;
    for (const row of this.body.children) row.classList.toggle("selected", row.dataset.model === name);
    if (!name) return;
    const model = await get(`/models/${part(name)}`).catch((error) => ({ error: errorText(error) }));
    if (this.opened !== name) return;
    fill(this.detail, model.detail ? modelDetail(model) : h("p", { class: "empty" }, model.error));
    if (focus) this.detail.scrollIntoView({ block: "nearest" });
  }

  /** @param {any} model @param {HTMLButtonElement} button */
  async #activate(model, button) {
    const text = `${model.name} ${model.version} becomes the default of all requests and streams that name no model. No request is dropped. Active now: ${this.active}.`;
    if (!await confirm(`Activate ${model.name}?`, text, "Activate")) return;
    button.disabled = true;
    setText(button, "Loading …");
    await post(`/models/${part(model.name)}/activate`, undefined, ACTIVATE_MS).then(
      (done) => setText(this.status, `${done.active} ${done.version} is active.`),
      (error) => this.session.notify(`${model.name} was not activated. ${errorText(error)}`));
    this.changed();
    this.refresh();
  }
}
