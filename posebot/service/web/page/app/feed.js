// One stream's WebSocket: newest picture and result of the same frame, and the stream's status. Reconnects by itself.

import { ApiError, part, post } from "./api.js";
import { pauseMs } from "./backoff.js";
import { noteServerTime, serverNow } from "./clock.js";
import { decodeMessage } from "./message.js";

const SILENCE_MS = 4000; // the service sends a status every second: longer silence means that the line is dead
const STATUS_S = 1;
const FPS = 15;

/** @typedef {"connecting"|"open"|"waiting"|"closed"} SocketState */

/**
 * Events: "change" (socket state or status), "result" (`newest` is new).
 * `newest`: {header, bitmap, receivedAt} with receivedAt in ms of performance.now().
 */
export class Feed extends EventTarget {
  /** @param {string} stream */
  constructor(stream) {
    super();
    this.stream = stream;
    /** @type {SocketState} */ this.socketState = "connecting";
    /** @type {any} */ this.status = null;
    this.statusSentAt = 0;
    /** @type {{header: any, bitmap: ImageBitmap, receivedAt: number}|null} */ this.newest = null;
    /** @type {ApiError|null} */ this.error = null;
    this.retryAt = 0;
    this.attempt = 0;
    /** @type {WebSocket|null} */ this.socket = null;
    /** @type {any} */ this.pending = null;
    this.decoding = false;
    this.timer = 0;
    this.watchdog = setInterval(() => this.#watch(), 500);
    this.heardAt = performance.now();
    this.#connect();
  }

  /** End for good. */
  close() {
    clearInterval(this.watchdog);
    clearTimeout(this.timer);
    this.socketState = "closed";
    this.socket?.close();
    this.newest?.bitmap.close();
    this.newest = null;
  }

  /** Try again now. */
  retry() {
    if (this.socketState !== "waiting") return;
    clearTimeout(this.timer);
    this.#connect();
  }

  /** Age in seconds of the newest picture; null without one. By the server's clock, and never less than what is sure. */
  ageS() {
    if (!this.newest) return null;
    const { header, receivedAt } = this.newest;
    const sure = header.sent_at - header.result.captured_at + (performance.now() - receivedAt) / 1000;
    return Math.max(sure, serverNow() - header.result.captured_at);
  }

  /** Seconds by which this page is behind the service: results that are late or missing, statuses that are overdue. */
  behindS() {
    if (!this.status) return 0;
    const sinceStatus = serverNow() - this.statusSentAt;
    const newestAge = this.status.age_ms === null ? Infinity : this.status.age_ms / 1000 + sinceStatus;
    return Math.max(sinceStatus - STATUS_S, (this.ageS() ?? 0) - newestAge);
  }

  async #connect() {
    this.#set("connecting");
    try {
      const { ticket } = await post("/auth/ticket");
      if (this.socketState === "closed") return;
      this.#open(ticket);
    } catch (error) {
      this.error = error instanceof ApiError ? error : new ApiError("internal", String(error), 0);
      this.#again();
    }
  }

  /** @param {string} ticket */
  #open(ticket) {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const query = new URLSearchParams({ ticket, picture: "raw", fps: String(FPS) });
    const socket = new WebSocket(`${scheme}//${location.host}/v1/streams/${part(this.stream)}/results?${query}`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.#hear(socket, event.data);
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.error = new ApiError("closed", event.reason || "the connection was closed", 0);
      this.#again();
    };
    this.socket = socket;
    this.heardAt = performance.now();
  }

  #again() {
    if (this.socketState === "closed") return;
    const pause = pauseMs(this.attempt++);
    this.retryAt = performance.now() + pause;
    this.timer = setTimeout(() => this.#connect(), pause);
    this.#set("waiting");
  }

  #watch() {
    const dead = this.socket && this.socketState !== "waiting" && performance.now() - this.heardAt > SILENCE_MS;
    if (!dead) return;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.error = new ApiError("timeout", "nothing came for some seconds", 0);
    this.#again();
  }

  /** @param {WebSocket} socket @param {ArrayBuffer|string} data */
  #hear(socket, data) {
    if (this.socket !== socket || this.socketState === "closed") return;
    this.heardAt = performance.now();
    this.attempt = 0;
    this.error = null;
    if (this.socketState !== "open") this.#set("open");
    const message = decodeMessage(data);
    if (message.status) {
      this.status = message.status;
      this.statusSentAt = message.sentAt ?? 0;
      noteServerTime(this.statusSentAt);
      this.dispatchEvent(new Event("change"));
    } else if (message.jpeg) {
      noteServerTime(message.header.sent_at);
      this.pending = { header: message.header, jpeg: message.jpeg, receivedAt: this.heardAt };
      this.#decode();
    }
  }

  /** One picture is decoded at a time; of those that come meanwhile only the newest is kept. */
  async #decode() {
    if (this.decoding) return;
    this.decoding = true;
    while (this.pending && this.socketState !== "closed") {
      const { header, jpeg, receivedAt } = this.pending;
      this.pending = null;
      const bitmap = await createImageBitmap(jpeg).catch(() => null);
      if (!bitmap) continue;
      this.newest?.bitmap.close();
      this.newest = { header, bitmap, receivedAt };
      this.dispatchEvent(new Event("result"));
    }
    this.decoding = false;
  }

  /** @param {SocketState} state */
  #set(state) {
    this.socketState = state;
    this.dispatchEvent(new Event("change"));
  }
}
