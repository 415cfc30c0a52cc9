// Whether the shown image is live, in words. Every state but "live" greys the image.

import { milliseconds, seconds } from "./format.js";
import { errorText, streamError } from "./terms.js";

/**
 * @typedef {object} Freshness
 * @property {"live"|"starting"|"stale"|"lost"|"stopped"|"reconnecting"|"failed"} kind
 * @property {string} title
 * @property {string} text cause and remedy
 * @property {number|null} [retryInS] seconds until the next attempt
 * @property {"start"|"retry"|null} [action] of the banner's button
 */

const CLOSED_S = 1.5; // shorter interruptions are not reported
const BEHIND_S = 2;
const SLOW_MS = 1000;

/**
 * @param {{socketState: string, status: any, retryAt: number, error: any, downSince: number|null, behindS: number}} connection
 * @param {number} now performance.now(), ms
 * @param {number} serverNow seconds since 1970 by the server's clock
 * @returns {Freshness}
 */
export function freshness(connection, now, serverNow) {
  const down = connection.downSince !== null && (now - connection.downSince) / 1000 > CLOSED_S;
  if (down) {
    const why = connection.error?.code === "closed" || connection.error?.code === "timeout" || !connection.error ? "No data from posebot." : errorText(connection.error);
    const retryInS = connection.socketState === "waiting" ? (connection.retryAt - now) / 1000 : null;
    return { kind: "lost", title: "Connection lost", text: `${why} The image shown is old.`, retryInS, action: "retry" };
  }
  if (connection.status?.state === "running" && connection.behindS > BEHIND_S) {
    return { kind: "stale", title: "Stale", text: "Results reach this page late. The network or this computer may be too slow." };
  }
  return connection.status ? ofStatus(connection.status, serverNow) : { kind: "starting", title: "Connecting", text: "Waiting for the stream." };
}

/** @param {any} status a StreamStatus @param {number} serverNow @returns {Freshness} */
function ofStatus({ state, error, stage_ms: stages }, serverNow) {
  const problem = error ? streamError(error) : null;
  const retryInS = error?.retry_at ? error.retry_at - serverNow : null;
  switch (state) {
    case "stopped":
      return { kind: "stopped", title: "Stream stopped", text: "The camera is not read.", action: "start" };
    case "starting":
      return { kind: "starting", title: "Starting", text: problem ? `${problem.what} ${problem.todo}` : "Opening the camera; the first result takes some seconds." };
    case "stale":
      return { kind: "stale", title: "Stale", text: problem ? `${problem.what} ${problem.todo}` : whyStale(stages.total) };
    case "reconnecting":
      return { kind: "reconnecting", title: "Camera lost", text: problem ? `${problem.what} ${problem.todo}` : "", retryInS };
    case "failed":
      return { kind: "failed", title: "Stream failed", text: problem ? `${problem.what} ${problem.todo}` : "", retryInS };
    default:
      return { kind: "live", title: "Live", text: "" };
  }
}

/** @param {number|undefined} totalMs that the last results took */
function whyStale(totalMs) {
  return totalMs !== undefined && totalMs > SLOW_MS
    ? `Results are late: inference takes ${milliseconds(totalMs)} an image. The machine is overloaded, or too slow for the model.`
    : "No new result. The camera hangs or is too slow.";
}

/** "next attempt in 3.2 s" @param {number|null|undefined} s */
export const nextAttempt = (s) => (s === null || s === undefined ? "" : s > 0.05 ? `Next attempt in ${seconds(s)}.` : "Connecting …");
