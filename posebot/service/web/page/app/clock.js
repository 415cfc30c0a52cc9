// Estimate of the server's clock from the times in its messages.

let offset = -Infinity; // seconds to add to this computer's clock

/** Call when a message arrives that was sent at this time of the server's clock. @param {number} sentAt seconds since 1970 */
export function noteServerTime(sentAt) {
  const observed = sentAt - Date.now() / 1000;
  // The fastest message gives the best estimate; it decays slowly, as clocks drift and are set.
  offset = observed > offset || observed < offset - 5 ? observed : offset - 0.0002;
}

/** Seconds since 1970. */
export const serverNow = () => Date.now() / 1000 + (Number.isFinite(offset) ? offset : 0);
