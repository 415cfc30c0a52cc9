// The live view: image, 3-D view, stage times and objects of one stream, always of the same frame.

import { post, part } from "./api.js";
import { Banner } from "./banner.js";
import { serverNow } from "./clock.js";
import { byId, fill, h, setText, stateMark } from "./dom.js";
import { StreamSocket } from "./stream-socket.js";
import { fixed, seconds, whole } from "./format.js";
import { freshness } from "./freshness.js";
import { controls } from "./live-controls.js";
import { ImageView } from "./image-view.js";
import { SceneView } from "./scene.js";
import { remember, remembered } from "./settings.js";
import { ObjectTable } from "./table.js";
import { Timing } from "./timing.js";
import { Tracks } from "./tracks.js";
import { STATUS, STREAM, errorText } from "./terms.js";

const TICK_MS = 100;
/** @type {[import("./dom.js").Mark, string]} */ const LOST = ["bad", "Unknown"];

export class Live {
  /** @param {{may: (scope: string) => boolean, notify: (text: string) => void}} session */
  constructor(session) {
    this.session = session;
    this.select = byId("stream");
    this.image = new ImageView(byId("picture"), (estimate) => this.choose(estimate ? this.#keyOf(estimate) : null));
    this.scene = new SceneView(byId("space"), byId("names"), (key) => this.choose(key));
    this.table = new ObjectTable(byId("objects"), (key) => this.choose(key));
    this.timing = new Timing(byId("timing"));
    this.banner = new Banner(byId("banner"), { retry: () => this.socket?.retry(), start: () => this.#start() });
    this.tracks = new Tracks();
    /** @type {StreamSocket|null} */ this.socket = null;
    /** @type {number|null} */ this.downSince = null;
    /** @type {string|null} */ this.selected = null;
    byId("space-empty").hidden = this.scene.usable;
    controls(this);
    this.select.addEventListener("change", () => { location.hash = `live/${part(this.select.value)}`; });
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** Update the list of streams. @param {any[]} streams */
  offer(streams) {
    const names = streams.map((stream) => stream.name);
    const offered = [...this.select.options].map((option) => option.value);
    if (names.join("\n") !== offered.join("\n")) fill(this.select, names.map((name) => h("option", { value: name }, name)));
    if (this.socket) this.select.value = this.socket.stream;
    else if (names.length) this.watch(this.wanted && names.includes(this.wanted) ? this.wanted : names.includes(remembered("stream", "")) ? remembered("stream", "") : names[0]);
  }

  /** @param {string} name of a stream; kept until the list of streams has arrived */
  watch(name) {
    this.wanted = name;
    if (!this.select.options.length || this.socket?.stream === name) return;
    if (![...this.select.options].some((option) => option.value === name)) return;
    this.#clear();
    remember("stream", name);
    this.select.value = name;
    this.socket = new StreamSocket(name);
    this.downSince = performance.now();
    this.socket.addEventListener("change", () => this.#changed());
    this.socket.addEventListener("result", () => this.#show());
    this.#changed();
  }

  /** Select an object, everywhere. @param {string|null} key */
  choose(key) {
    this.selected = key;
    this.image.selected = key ? (/** @type {any} */ estimate) => this.#keyOf(estimate) === key : null;
    this.image.draw();
    this.scene.selected = key;
    this.table.select(key);
    this.#redrawScene();
  }

  #clear() {
    this.image.show(null);
    this.socket?.close();
    this.scene.clear();
    this.table.clear();
    this.timing.clear();
    this.tracks = new Tracks();
    this.choose(null);
    this.#count([]);
  }

  #changed() {
    const socket = /** @type {StreamSocket} */ (this.socket);
    if (socket.socketState === "open") this.downSince = null;
    else this.downSince ??= performance.now();
    this.#tick();
  }

  /** Show the stream's state, or that it is unknown. @param {boolean} lost */
  #state(lost) {
    const { status } = /** @type {StreamSocket} */ (this.socket);
    const [mark, word] = lost ? LOST : status ? STREAM[status.state] : STREAM.starting;
    const place = byId("stream-state");
    if (place.dataset.word !== word) {
      place.dataset.word = word;
      fill(place, stateMark(mark, word));
    }
    setText(byId("rate"), !lost && status?.fps ? `${fixed(status.fps, 1)} results/s, ${whole(status.dropped)} dropped` : "");
  }

  #show() {
    const { header } = /** @type {any} */ (this.socket?.newest);
    this.tracks.update(header.result);
    const rows = this.tracks.list();
    this.image.show(/** @type {any} */ (this.socket).newest);
    this.scene.update(header, rows);
    this.timing.add(header);
    this.table.update(rows, header);
    this.#count(rows);
    const based = Boolean(header.base_from_cam);
    setText(byId("frame-note"), based ? "Positions and angles in the base frame" : "Positions and angles in the camera frame: the robot pose is unknown");
    setText(byId("space-title"), based ? "Base frame" : "Camera frame");
    setText(byId("space-note"), based ? "grid 10 cm" : "robot pose unknown");
    this.#tick();
  }

  /** @param {import("./tracks.js").Row[]} rows */
  #count(rows) {
    const seen = rows.filter((row) => row.seen);
    byId("no-objects").hidden = rows.length > 0;
    const counts = ["ok", "low_certainty", "no_pose"].map((status) => seen.filter(({ estimate }) => estimate.status === status).length);
    const texts = ["ok", "low_certainty", "no_pose"].map((status, i) => `${counts[i]} ${STATUS[status][1]}`);
    if (byId("counts").dataset.text === texts.join()) return;
    byId("counts").dataset.text = texts.join();
    fill(byId("counts"), ["ok", "low_certainty", "no_pose"].map((status, i) => stateMark(counts[i] ? STATUS[status][0] : "quiet", texts[i])));
    byId("picture").setAttribute("aria-label", `Live image of ${this.socket?.stream ?? ""}: ${texts.join(", ")}`);
  }

  #tick() {
    if (!this.socket || document.hidden) return;
    const fresh = freshness(this.#connection(), performance.now(), serverNow());
    const age = this.socket.ageS();
    this.#state(fresh.kind === "lost");
    this.banner.show(fresh, age, this.session.may("operate"));
    byId("view-live").dataset.fresh = fresh.kind;
    setText(byId("age"), age === null ? "" : `age ${seconds(age)}`);
    this.table.tick((capturedAt) => (age === null || !this.socket?.newest ? null : age + this.socket.newest.header.result.captured_at - capturedAt));
    const title = `${fresh.kind === "live" ? "" : `${fresh.title.toUpperCase()} – `}${this.socket.stream} – posebot`;
    if (document.title !== title) document.title = title;
  }

  #connection() {
    const socket = /** @type {StreamSocket} */ (this.socket);
    const { socketState, status, retryAt, error } = socket;
    return { socketState, status, retryAt, error, downSince: this.downSince, behindS: socket.behindS() };
  }

  async #start() {
    const { stream } = /** @type {StreamSocket} */ (this.socket);
    await post(`/streams/${part(stream)}/start`).catch((error) => this.session.notify(`${stream} was not started. ${errorText(error)}`));
  }

  #redrawScene() {
    if (this.socket?.newest) this.scene.update(this.socket.newest.header, this.tracks.list());
  }

  /** @param {any} estimate of the newest result */
  #keyOf(estimate) {
    const row = this.tracks.list().find((entry) => entry.estimate === estimate);
    return row?.key ?? null;
  }
}

