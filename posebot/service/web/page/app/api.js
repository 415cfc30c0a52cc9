// The HTTP API. The browser sends the session cookie.

/** An error response of the service; `code` "offline" where it could not be reached. */
export class ApiError extends Error {
  /** @param {string} code @param {string} message @param {number} status */
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

const TIMEOUT_MS = 15000;

/**
 * @param {"GET"|"POST"} method
 * @param {string} path below /v1
 * @param {object} [body]
 * @param {number} [timeoutMs]
 * @returns {Promise<any>} the JSON of the response, null for 204
 */
async function request(method, path, body, timeoutMs = TIMEOUT_MS) {
  const init = /** @type {RequestInit} */ ({ method, signal: AbortSignal.timeout(timeoutMs) });
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "Content-Type": "application/json" };
  }
  const response = await fetch(`/v1${path}`, init).catch(() => {
    throw new ApiError("offline", "the service does not respond", 0);
  });
  if (response.status === 401) location.assign("/login" + location.hash);
  if (!response.ok) throw await apiError(response);
  return response.status === 204 ? null : response.json();
}

/** @param {Response} response */
async function apiError(response) {
  const error = (await response.json().catch(() => null))?.error;
  return new ApiError(error?.code ?? "internal", error?.message ?? `the service answered ${response.status}`, response.status);
}

/** @param {string} path */
export const get = (path) => request("GET", path);

/** @param {string} path @param {object} [body] @param {number} [timeoutMs] */
export const post = (path, body, timeoutMs) => request("POST", path, body, timeoutMs);

/** A path segment. @param {string|number} text */
export const part = (text) => encodeURIComponent(String(text));
