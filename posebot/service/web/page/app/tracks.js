// Objects over time: an object that is not in the newest result is kept for a while, marked as not detected.

const HOLD_S = { ok: 10, low_certainty: 2, no_pose: 0 }; // seconds, by status

/**
 * @typedef {object} Row
 * @property {string} key the same for the same physical object
 * @property {any} estimate as in docs/reference/formats.md
 * @property {number} capturedAt of the frame in which it was last seen, server's clock
 * @property {boolean} seen whether it is in the newest result
 */

export class Tracks {
  constructor() {
    /** @type {Map<string, Row>} */ this.rows = new Map();
    this.clock = 0;
  }

  /** @param {any} result a FrameResult */
  update(result) {
    if (result.captured_at < this.clock - 1) this.rows.clear(); // a recording that started again
    this.clock = result.captured_at;
    for (const row of this.rows.values()) row.seen = false;
    /** @type {Map<string, number>} */ const counts = new Map();
    for (const estimate of result.estimates) {
      const key = keyOf(estimate, counts);
      this.rows.set(key, { key, estimate, capturedAt: result.captured_at, seen: true });
    }
    for (const [key, row] of this.rows) {
      const held = row.estimate.track_id !== null && this.clock - row.capturedAt < HOLD_S[row.estimate.status];
      if (!row.seen && !held) this.rows.delete(key);
    }
  }

  /** Sorted by name and number, so that rows keep their places. @returns {Row[]} */
  list() {
    return [...this.rows.values()].sort((a, b) => a.key.localeCompare(b.key, "en", { numeric: true }));
  }
}

/** @param {any} estimate @param {Map<string, number>} counts of untracked ones so far, by label */
function keyOf(estimate, counts) {
  if (estimate.track_id !== null) return `${estimate.label} #${estimate.track_id}`;
  const count = (counts.get(estimate.label) ?? 0) + 1;
  counts.set(estimate.label, count);
  return count === 1 ? estimate.label : `${estimate.label} (${count})`;
}

/** The displayed pose: in the base frame if it is known, else in the camera frame. @param {any} estimate @returns {number[][]|null} */
export const poseOf = (estimate) => estimate.base_from_obj ?? estimate.cam_from_obj;

export const statusOf = (/** @type {Row} */ row) => (row.seen ? row.estimate.status : "unseen");
