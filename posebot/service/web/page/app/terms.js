// Texts of states and errors, with what to do about them.

/** @typedef {import("./dom.js").Mark} Mark */

/** Of an estimate. "unseen" exists on the page only: a track that is not in the newest result. @type {Record<string, [Mark, string]>} */
export const STATUS = {
  ok: ["ok", "OK"],
  low_certainty: ["warn", "Low certainty"],
  no_pose: ["bad", "No pose"],
  unseen: ["quiet", "Not detected"],
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

/** Errors of a stream: meaning, remedy. @type {Record<string, [string, string]>} */
const STREAM_ERRORS = {
  auth_failed: ["The camera rejects the user name or password.", "Check the credentials that the configuration takes from the environment, then restart the service."],
  timeout: ["The camera does not respond in time.", "Check that it is switched on and reachable over the network."],
  not_found: ["The configured camera or file does not exist.", "Check the address, device number or path in the configuration."],
  refused: ["The camera's address refuses the connection.", "Check the port in the configuration, and that the camera accepts another client."],
  codec: ["The images cannot be decoded.", "Set the camera to H.264 or MJPEG, or check the file."],
  disconnected: ["The connection to the camera was lost.", "Check cable, power and network. The service reconnects."],
  bad_input: ["The configuration of the stream is not valid.", "Correct the configuration as the message says, then restart the service."],
  engine: ["Inference failed for an image.", "Check the model and the service's log. The stream continues with the next image."],
  restarted: ["The stream's process died and was restarted.", "If this happens often, check the service's log."],
};

/** @param {{code: string, message: string}} error @returns {{what: string, todo: string}} */
export function streamError(error) {
  const [what, todo] = STREAM_ERRORS[error.code] ?? ["The stream has an error.", "See the service's log."];
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
export function errorText(error) {
  if (error?.code === "offline") return "The service does not respond.";
  if (error?.code === "forbidden") return "Your key lacks the scope “operate”.";
  const text = String(error?.message ?? error);
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}
