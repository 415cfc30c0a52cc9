// Jobs on the cluster: submit, watch, logs, stop.

import { get, part, post } from "./api.js";
import { serverNow } from "./clock.js";
import { fill, h, setText, stateMark } from "./dom.js";
import { duration, moment, percent } from "./format.js";
import { confirm } from "./dialog.js";
import { JobForm } from "./job-form.js";
import { JobLog } from "./job-log.js";
import { poll } from "./poll.js";
import { JOB, errorText } from "./terms.js";

const PAUSE_MS = 2000;
const WATCHED = 6; // number of running jobs whose progress is requested
const ACTIVE = ["pending", "running"];

export class JobsView {
  /** @param {HTMLElement} element @param {import("./main.js").Session} session */
  constructor(element, session) {
    this.session = session;
    this.form = new JobForm(session, (job) => { this.log.open(job); this.refresh(); });
    this.log = new JobLog();
    this.body = h("tbody", { role: "rowgroup" });
    this.problem = h("p", { class: "problem", role: "status", hidden: true });
    this.nothing = h("p", { class: "empty" }, "No jobs yet.");
    const heads = ["Job", "Status", "Progress", "Submitted", "Took", "Arguments", ""];
    element.append(
      h("div", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", {}, "New job")), this.form.element),
      h("div", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", { id: "jobs-title" }, "Jobs")), this.problem,
        h("div", { class: "scroll" }, h("table", { class: "list", role: "table", "aria-labelledby": "jobs-title" },
          h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((name) => h("th", { scope: "col", role: "columnheader" }, name)))), this.body)),
        this.nothing),
      this.log.element);
    this.refresh = poll(() => this.#ask(), () => (element.hidden ? null : PAUSE_MS));
  }

  async #ask() {
    try {
      const { kinds, jobs } = await get("/jobs");
      const running = jobs.filter((/** @type {any} */ job) => job.status === "running").slice(0, WATCHED);
      const details = new Map(await Promise.all(running.map(async (/** @type {any} */ { id }) => [id, await get(`/jobs/${part(id)}`).catch(() => null)])));
      this.form.offer(kinds);
      this.#show(jobs.map((/** @type {any} */ job) => details.get(job.id) ?? job));
      this.problem.hidden = true;
    } catch (error) {
      this.problem.hidden = false;
      setText(this.problem, /** @type {any} */ (error).code === "unavailable" ? `Jobs need a Ray cluster: start one with “ray start --head”, or use “serve run”. ${errorText(error)}` : `This list is not up to date. ${errorText(error)}`);
    }
  }

  /** @param {any[]} jobs newest first */
  #show(jobs) {
    this.nothing.hidden = jobs.length > 0;
    const ids = [...this.body.children].map((row) => row.dataset.job);
    if (ids.join() !== jobs.map(({ id }) => id).join()) fill(this.body, jobs.map((job) => this.#row(job)));
    jobs.forEach((job, i) => this.#write(this.body.children[i], job));
    this.log.follow(jobs);
  }

  /** @param {any} job */
  #row(job) {
    const cell = (/** @type {string} */ id, /** @type {string} */ label) => h("td", { role: "cell", "data-id": id, "data-label": label });
    const bar = h("progress", { max: "1", "aria-label": `Progress of ${job.id}` });
    return h("tr", { role: "row", "data-job": job.id },
      h("th", { scope: "row", role: "rowheader" }, job.kind, h("span", { class: "muted mono" }, ` ${job.id.replace("raysubmit_", "")}`)),
      cell("status", "Status"), h("td", { role: "cell", "data-label": "Progress", class: "progress" }, bar, h("span", { "data-id": "progress" })),
      cell("submitted", "Submitted"), cell("took", "Took"), cell("arguments", "Arguments"),
      h("td", { role: "cell", class: "actions" },
        h("button", { type: "button", "aria-label": `Log of ${job.kind} ${job.id}`, onclick: () => this.log.open(job) }, "Log"),
        h("button", { type: "button", "data-id": "stop", "aria-label": `Stop ${job.kind} ${job.id}`, onclick: () => this.#stop(job) }, "Stop")));
  }

  /** @param {any} row @param {any} job */
  #write(row, job) {
    const at = (/** @type {string} */ id) => row.querySelector(`[data-id="${id}"]`);
    const [mark, word] = JOB[job.status];
    if (row.dataset.status !== job.status + job.message) {
      row.dataset.status = job.status + job.message;
      fill(at("status"), stateMark(mark, word), job.status === "failed" && job.message ? h("p", { class: "problem-text" }, job.message) : null);
    }
    const bar = row.querySelector("progress");
    const share = job.status === "succeeded" ? 1 : job.progress;
    bar.hidden = share === null && !ACTIVE.includes(job.status);
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    setText(at("progress"), share === null ? "" : percent(share));
    setText(at("submitted"), moment(job.submitted_at));
    setText(at("took"), job.started_at ? duration((job.ended_at ?? serverNow()) - job.started_at) : "–");
    setText(at("arguments"), Object.entries(job.arguments).map(([name, value]) => `${name} ${value}`).join(", ") || "–");
    at("stop").hidden = !ACTIVE.includes(job.status);
    at("stop").disabled = !this.session.may("operate");
  }

  /** @param {any} job */
  async #stop(job) {
    if (!await confirm("Stop this job?", `The ${job.kind} job is stopped. Files that it has written are kept.`, "Stop job")) return;
    await post(`/jobs/${part(job.id)}/stop`).catch((error) => this.session.notify(`The job was not stopped. ${errorText(error)}`));
    this.refresh();
  }
}
