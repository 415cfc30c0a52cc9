// Whether what is shown can be trusted to be now, in words. Everything but "live" greys the picture.

import { milliseconds, seconds } from "./format.js";
import { said, streamError } from "./words.js";

/**
 * @typedef {object} Freshness
 * @property {"live"|"starting"|"stale"|"lost"|"stopped"|"reconnecting"|"failed"} kind
 * @property {string} title
 * @property {string} text what happened and what to do
 * @property {number|null} [retryInS] seconds to the next attempt, counting
 * @property {"start"|"retry"|null} [action] what a button would do
 */

const CLOSED_S = 1.5; // a connection that is back sooner is not worth a word
const BEHIND_S = 2;
const SLOW_MS = 1000;

/**
 * @param {{socketState: string, status: any, retryAt: number, error: any, downSince: number|null, behindS: number}} line
 * @param {number} now performance.now(), ms
 * @param {number} serverNow seconds since 1970 by the server's clock
 * @returns {Freshness}
 */
export function freshness(line, now, serverNow) {
  const down = line.downSince !== null && (now - line.downSince) / 1000 > CLOSED_S;
  if (down) {
    const why = line.error?.code === "closed" || line.error?.code === "timeout" || !line.error ? "Nothing comes from posebot any more." : said(line.error);
    const retryInS = line.socketState === "waiting" ? (line.retryAt - now) / 1000 : null;
    return { kind: "lost", title: "Connection lost", text: `${why} What you see is old.`, retryInS, action: "retry" };
  }
  if (line.status?.state === "running" && line.behindS > BEHIND_S) {
    return { kind: "stale", title: "Stale", text: "posebot has newer results, but they reach this page late. Is the network or this computer too slow?" };
  }
  return line.status ? ofStatus(line.status, serverNow) : { kind: "starting", title: "Connecting", text: "Waiting for the stream." };
}

/** @param {any} status a StreamStatus @param {number} serverNow @returns {Freshness} */
function ofStatus({ state, error, stage_ms: stages }, serverNow) {
  const trouble = error ? streamError(error) : null;
  const retryInS = error?.retry_at ? error.retry_at - serverNow : null;
  switch (state) {
    case "stopped":
      return { kind: "stopped", title: "Stream stopped", text: "No pictures are taken.", action: "start" };
    case "starting":
      return { kind: "starting", title: "Starting", text: trouble ? `${trouble.what} ${trouble.todo}` : "The camera is being opened; the first result takes some seconds." };
    case "stale":
      return { kind: "stale", title: "Stale", text: trouble ? `${trouble.what} ${trouble.todo}` : whyStale(stages.total) };
    case "reconnecting":
      return { kind: "reconnecting", title: "Camera lost", text: trouble ? `${trouble.what} ${trouble.todo}` : "", retryInS };
    case "failed":
      return { kind: "failed", title: "Stream failed", text: trouble ? `${trouble.what} ${trouble.todo}` : "", retryInS };
    default:
      return { kind: "live", title: "Live", text: "" };
  }
}

/** @param {number|undefined} totalMs that the last results took */
function whyStale(totalMs) {
  return totalMs !== undefined && totalMs > SLOW_MS
    ? `Results come late: this computer takes ${milliseconds(totalMs)} for a picture. It is too busy, or the model too large for it.`
    : "No new result. The camera hangs, or is too slow.";
}

/** "next attempt in 3.2 s" @param {number|null|undefined} s */
export const nextAttempt = (s) => (s === null || s === undefined ? "" : s > 0.05 ? `Next attempt in ${seconds(s)}.` : "Trying now …");
