// The form for a new job.

import { post } from "./api.js";
import { fill, h, setText } from "./dom.js";
import { plain } from "./format.js";
import { errorText } from "./terms.js";

/** Arguments by name: kind of value, hint. @type {Record<string, ["text"|"number"|"flag", string]>} */
const KNOWN = {
  dataset: ["text", "folder of the data set"], out: ["text", "folder to write"], config: ["text", "file"], from: ["text", "model, or folder"],
  add: ["text", "folder of new objects' meshes"], only: ["text", "labels to train again"], models: ["text", "folder of full meshes"],
  backgrounds: ["text", "folder of photographs"], distractors: ["text", "meshes of other objects"],
  objects: ["text", "folder, or labels"], bundle: ["text", "model, or folder"], split: ["text", "train, test, …"], detector: ["text", "head or yolo"],
  renderer: ["text", "raster or path"], size: ["text", "640x480"], distance: ["text", "metres, 0.4,0.9"], minutes: ["number", "of training"],
  crops: ["number", "for the localizer"], pictures: ["number", "for the detector"], frames: ["number", "how many"], trials: ["number", "how many"],
  workers: ["number", "processes"], processes: ["number", ""], seed: ["number", "0"], tiny: ["flag", "a small trial run"], "depth-noise": ["flag", "simulate a real sensor"],
};

export class JobForm {
  /** @param {import("./main.js").Session} session @param {(job: any) => void} submitted */
  constructor(session, submitted) {
    this.session = session;
    this.submitted = submitted;
    /** @type {Record<string, string[]>} */ this.kinds = {};
    this.kind = h("select", { id: "job-kind", onchange: () => this.#fields() });
    this.fields = h("div", { class: "fields" });
    this.button = h("button", { type: "submit", class: "primary" }, "Submit");
    this.problem = h("p", { class: "problem", role: "alert", hidden: true });
    this.element = h("form", { class: "job-form", onsubmit: (/** @type {Event} */ event) => this.#submit(event) },
      h("div", { class: "field" }, h("label", { for: "job-kind" }, "Kind"), this.kind), this.fields, this.problem,
      h("div", { class: "form-end" }, this.button, h("p", { class: "muted small" }, "Paths are relative to the service’s folder for jobs. Empty fields take their defaults.")));
    const may = session.may("operate");
    this.button.disabled = !may;
    this.button.title = may ? "" : "Needs a key with the scope “operate”";
  }

  /** @param {Record<string, string[]>} kinds names of each kind's arguments */
  offer(kinds) {
    if (JSON.stringify(kinds) === JSON.stringify(this.kinds)) return;
    this.kinds = kinds;
    fill(this.kind, Object.keys(kinds).map((kind) => h("option", { value: kind }, kind)));
    this.#fields();
  }

  #fields() {
    fill(this.fields, (this.kinds[this.kind.value] ?? []).map((name) => {
      const [kind, hint] = KNOWN[name] ?? ["text", ""];
      const id = `argument-${name}`;
      const input = kind === "flag"
        ? h("input", { id, name, type: "checkbox" })
        : h("input", { id, name, type: "text", inputmode: kind === "number" ? "decimal" : null, placeholder: hint, autocomplete: "off", spellcheck: "false" });
      return h("div", { class: `field ${kind}` }, h("label", { for: id }, plain(name.replaceAll("-", " "))), input);
    }));
    this.problem.hidden = true;
  }

  /** @param {Event} event */
  async #submit(event) {
    event.preventDefault();
    this.button.disabled = true;
    this.problem.hidden = true;
    try {
      const job = await post("/jobs", { kind: this.kind.value, arguments: this.#values() }, 60000);
      this.submitted(job);
    } catch (error) {
      this.problem.hidden = false;
      setText(this.problem, `The job was not submitted. ${errorText(error)}`);
      const [, name] = /^arguments\.([\w-]+)/.exec(/** @type {any} */ (error).message) ?? [];
      if (name) document.getElementById(`argument-${name}`)?.focus();
    }
    this.button.disabled = !this.session.may("operate");
  }

  /** @returns {Record<string, string|number|boolean>} the filled-in arguments */
  #values() {
    /** @type {Record<string, string|number|boolean>} */ const values = {};
    for (const input of this.fields.querySelectorAll("input")) {
      const text = input.value.trim();
      if (input.type === "checkbox") {
        if (input.checked) values[input.name] = true;
      } else if (text) values[input.name] = valueOf(input.name, text);
    }
    return values;
  }
}

/** @param {string} name @param {string} text */
function valueOf(name, text) {
  const kind = KNOWN[name]?.[0];
  if (kind === "text") return text;
  const number = Number(text.replace(",", "."));
  return Number.isFinite(number) ? number : text;
}
