// What things are called, and what to do about them.

/** @typedef {import("./dom.js").Mark} Mark */

/** Of an estimate. "unseen" is the page's own: a track that is not in the newest result. @type {Record<string, [Mark, string]>} */
export const STATUS = {
  ok: ["ok", "OK"],
  low_certainty: ["warn", "Low certainty"],
  no_pose: ["bad", "No pose"],
  unseen: ["quiet", "Not seen now"],
};

/** Of a stream. @type {Record<string, [Mark, string]>} */
export const STREAM = {
  running: ["ok", "Running"],
  starting: ["busy", "Starting"],
  stale: ["warn", "Stale"],
  reconnecting: ["warn", "Reconnecting"],
  failed: ["bad", "Failed"],
  stopped: ["quiet", "Stopped"],
};

/** Of a job. @type {Record<string, [Mark, string]>} */
export const JOB = {
  pending: ["busy", "Waiting"],
  running: ["busy", "Running"],
  succeeded: ["ok", "Succeeded"],
  failed: ["bad", "Failed"],
  stopped: ["quiet", "Stopped"],
};

/** Why a stream does not run: what it means, what to do. @type {Record<string, [string, string]>} */
const STREAM_ERRORS = {
  auth_failed: ["The camera refuses the user name or password.", "Check the credentials that the configuration takes from the environment, then restart the service."],
  timeout: ["The camera does not answer in time.", "Check that it is switched on and that its network reaches this service."],
  not_found: ["There is no camera or file at the configured address.", "Check the address, device number or path in the configuration."],
  refused: ["The camera's address refuses the connection.", "Check the port in the configuration, and that the camera allows another viewer."],
  codec: ["The pictures cannot be decoded.", "Set the camera to H.264 or MJPEG, or check the file."],
  disconnected: ["The camera broke off.", "Check cable, power and network. It is tried again by itself."],
  bad_input: ["The stream cannot run as it is configured.", "Correct the configuration as the message says, then restart the service."],
  engine: ["A picture could not be worked on.", "Look at the model and the service's log. The next pictures are tried."],
  restarted: ["The stream's process ended and was started again.", "Nothing to do; if it happens often, look at the service's log."],
};

/** @param {{code: string, message: string}} error @returns {{what: string, todo: string}} */
export function streamError(error) {
  const [what, todo] = STREAM_ERRORS[error.code] ?? ["The stream has a problem.", "The service's log says more."];
  return { what, todo };
}

/** @type {Record<string, string>} */
export const STAGES = {
  total: "Pipeline", detect: "Detect", localize: "Localize", pose: "Pose", certainty: "Certainty", fuse: "Fuse",
};

/** Where base_from_cam comes from. @type {Record<string, string>} */
export const ROBOT_POSE = {
  none: "unknown", static: "fixed camera", simulated: "simulated", table: "table by time", pushed: "sent by the robot",
};

/** An error of a request, as one sentence. @param {any} error */
export function said(error) {
  if (error?.code === "offline") return "The service does not answer.";
  if (error?.code === "forbidden") return "Your key may not do this: it needs the scope “operate”.";
  const text = String(error?.message ?? error);
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}
