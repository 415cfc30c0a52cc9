// The WebSocket of a stream: the newest image with the result of the same frame, and the stream's status. Reconnects.

import { ApiError, part, post } from "./api.js";
import { pauseMs } from "./backoff.js";
import { noteServerTime, serverNow } from "./clock.js";
import { decodeMessage } from "./message.js";

const TIMEOUT_MS = 4000; // the service sends a status every second: no message for longer means a dead connection
const STATUS_S = 1;
const FPS = 15;

/** @typedef {"connecting"|"open"|"waiting"|"closed"} SocketState */

/**
 * Events: "change" (socket state or status), "result" (`newest` is new).
 * `newest`: {header, bitmap, receivedAt} with receivedAt in ms of performance.now().
 */
export class StreamSocket extends EventTarget {
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
    this.receivedAt = performance.now();
    this.#connect();
  }

  /** Close, without reconnecting. */
  close() {
    clearInterval(this.watchdog);
    clearTimeout(this.timer);
    this.socketState = "closed";
    this.socket?.close();
    this.newest?.bitmap.close();
    this.newest = null;
  }

  /** Reconnect now. */
  retry() {
    if (this.socketState !== "waiting") return;
    clearTimeout(this.timer);
    this.#connect();
  }

  /** Age of the newest image in seconds, by the server's clock; null without one. Never below the time since it was received. */
  ageS() {
    if (!this.newest) return null;
    const { header, receivedAt } = this.newest;
    const minimum = header.sent_at - header.result.captured_at + (performance.now() - receivedAt) / 1000;
    return Math.max(minimum, serverNow() - header.result.captured_at);
  }

  /** Seconds that this page lags behind the service: late or missing results, overdue statuses. */
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
    socket.onmessage = (event) => this.#receive(socket, event.data);
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.error = new ApiError("closed", event.reason || "the connection was closed", 0);
      this.#again();
    };
    this.socket = socket;
    this.receivedAt = performance.now();
  }

  #again() {
    if (this.socketState === "closed") return;
    const pause = pauseMs(this.attempt++);
    this.retryAt = performance.now() + pause;
    this.timer = setTimeout(() => this.#connect(), pause);
    this.#set("waiting");
  }

  #watch() {
    const dead = this.socket && this.socketState !== "waiting" && performance.now() - this.receivedAt > TIMEOUT_MS;
    if (!dead) return;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.error = new ApiError("timeout", "no message for some seconds", 0);
    this.#again();
  }

  /** @param {WebSocket} socket @param {ArrayBuffer|string} data */
  #receive(socket, data) {
    if (this.socket !== socket || this.socketState === "closed") return;
    this.receivedAt = performance.now();
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
      this.pending = { header: message.header, jpeg: message.jpeg, receivedAt: this.receivedAt };
      this.#decode();
    }
  }

  /** Decodes one image at a time; of those that arrive meanwhile only the newest is kept. */
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
