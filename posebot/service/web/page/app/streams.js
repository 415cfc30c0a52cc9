// The streams of the configuration: state, errors, start and stop, and events since the page was opened.

import { get, part, post } from "./api.js";
import { serverNow } from "./clock.js";
import { byId, fill, h, setText, stateMark } from "./dom.js";
import { bytes, fixed, moment, seconds, whole } from "./format.js";
import { nextAttempt } from "./freshness.js";
import { poll } from "./poll.js";
import { ROBOT_POSE, STREAM, errorText, streamError } from "./terms.js";

const ACTIVE_MS = 1500;
const HIDDEN_MS = 5000;
const EVENTS = 100;

export class StreamsView extends EventTarget {
  /** @param {HTMLElement} element @param {import("./main.js").Session} session */
  constructor(element, session) {
    super();
    this.session = session;
    this.element = element;
    /** @type {any[]} */ this.list = [];
    /** @type {Map<string, string>} */ this.states = new Map();
    this.body = h("tbody", { role: "rowgroup" });
    this.problem = h("p", { class: "problem", role: "status", hidden: true });
    this.events = h("ul", { class: "events" });
    this.nothing = h("p", { class: "empty" }, "No events since this page was opened.");
    const heads = ["Stream", "State", "Results/s", "Age", "Results", "Dropped", "Robot pose", "Model", "Recorded", ""];
    element.append(
      h("div", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", { id: "streams-title" }, "Streams")), this.problem,
        h("div", { class: "scroll" }, h("table", { class: "list", role: "table", "aria-labelledby": "streams-title" },
          h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((name, i) => h("th", { scope: "col", role: "columnheader", class: i > 1 && i < 6 ? "number" : "" }, name)))), this.body))),
      h("div", { class: "panel" }, h("header", { class: "panel-head" }, h("h2", {}, "Events")), this.events, this.nothing));
    this.refresh = poll(() => this.#ask(), () => (element.hidden ? HIDDEN_MS : ACTIVE_MS));
  }

  async #ask() {
    try {
      this.#show((await get("/streams")).streams);
      this.problem.hidden = true;
    } catch (error) {
      this.problem.hidden = false;
      setText(this.problem, `This list is not up to date. ${errorText(error)}`);
    }
  }

  /** @param {any[]} streams */
  #show(streams) {
    const same = JSON.stringify(streams.map(({ name }) => name)) === JSON.stringify(this.list.map(({ name }) => name));
    this.list = streams;
    if (!same) fill(this.body, streams.map((stream) => this.#row(stream)));
    streams.forEach((stream, i) => this.#write(this.body.children[i], stream));
    for (const stream of streams) this.#note(stream);
    const troubled = streams.filter(({ state }) => ["failed", "reconnecting", "stale"].includes(state)).length;
    byId("stream-errors").hidden = !troubled;
    setText(byId("stream-errors"), `${troubled} ${troubled === 1 ? "error" : "errors"}`);
    this.dispatchEvent(new Event("change"));
  }

  /** @param {any} stream */
  #row({ name, kind }) {
    const cell = (/** @type {string} */ id, /** @type {string} */ label, number = false) =>
      h("td", { role: "cell", "data-id": id, "data-label": label, class: number ? "number" : "" });
    const button = h("button", { type: "button", "data-id": "switch", onclick: () => this.#switch(name, button) });
    return h("tr", { role: "row", "data-stream": name },
      h("th", { scope: "row", role: "rowheader" }, h("a", { href: `#live/${part(name)}` }, name), h("span", { class: "muted" }, ` ${kind}`)),
      cell("state", "State"), cell("fps", "Results/s", true), cell("age", "Age", true), cell("frames", "Results", true),
      cell("dropped", "Dropped", true), cell("pose", "Robot pose"), cell("model", "Model"), cell("recorded", "Recorded"),
      h("td", { role: "cell", class: "actions" }, button));
  }

  /** @param {Element} row @param {any} stream */
  #write(row, stream) {
    const at = (/** @type {string} */ id) => /** @type {HTMLElement} */ (row.querySelector(`[data-id="${id}"]`));
    const [mark, word] = STREAM[stream.state];
    const idle = stream.state === "stopped";
    const problem = stream.error ? streamError(stream.error) : null;
    const next = stream.error?.retry_at ? nextAttempt(stream.error.retry_at - serverNow()) : "";
    fill(at("state"), stateMark(mark, word), stream.restarts ? h("span", { class: "muted" }, ` restarted ${stream.restarts} ×`) : null,
      problem && h("div", { class: "problem-text" }, h("p", {}, `${problem.what} ${problem.todo}`), h("p", { class: "muted" }, stream.error.message), next && h("p", { class: "muted" }, next)));
    const write = (/** @type {string} */ id, /** @type {string} */ text) => {
      setText(at(id), text);
      at(id).toggleAttribute("data-none", text === "–");
    };
    write("fps", idle ? "–" : fixed(stream.fps, 1));
    write("age", stream.age_ms === null || idle ? "–" : seconds(stream.age_ms / 1000));
    setText(at("frames"), whole(stream.frames));
    setText(at("dropped"), whole(stream.dropped));
    setText(at("pose"), ROBOT_POSE[stream.robot_pose] ?? stream.robot_pose);
    write("model", stream.bundle ?? "–");
    write("recorded", stream.recording ? `${bytes(stream.recording.bytes)} in ${stream.recording.files.length} files` : "–");
    const button = /** @type {HTMLButtonElement} */ (at("switch"));
    setText(button, idle ? "Start" : "Stop");
    button.setAttribute("aria-label", `${idle ? "Start" : "Stop"} ${stream.name}`);
    button.disabled = !this.session.may("operate") || button.dataset.busy === "true";
    button.title = this.session.may("operate") ? "" : "Needs a key with the scope “operate”";
  }

  /** @param {string} name @param {HTMLButtonElement} button */
  async #switch(name, button) {
    const stream = this.list.find((entry) => entry.name === name);
    const action = stream?.state === "stopped" ? "start" : "stop";
    button.dataset.busy = "true";
    button.disabled = true;
    await post(`/streams/${part(name)}/${action}`, undefined, 60000).then(() => this.session.notify(""),
      (error) => this.session.notify(`The stream ${name} could not be ${action === "start" ? "started" : "stopped"}. ${errorText(error)}`));
    button.dataset.busy = "false";
    this.refresh();
  }

  /** @param {any} stream */
  #note({ name, state, error, restarts }) {
    const now = `${state} ${restarts}`;
    const before = this.states.get(name);
    this.states.set(name, now);
    if (before === undefined || before === now) return;
    const [mark, word] = STREAM[state];
    const why = error && state !== "running" ? streamError(error).what : "";
    this.events.prepend(h("li", {}, h("time", { class: "muted" }, moment(serverNow())), h("span", {}, name), stateMark(mark, word), h("span", { class: "muted" }, why)));
    while (this.events.children.length > EVENTS) this.events.lastElementChild.remove();
    this.nothing.hidden = true;
  }
}
