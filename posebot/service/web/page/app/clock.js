// The server's clock, as well as it can be told from what it sends.

let offset = -Infinity; // seconds to add to this computer's clock

/** A message was sent at this time of the server's clock and has just come. @param {number} sentAt seconds since 1970 */
export function noteServerTime(sentAt) {
  const seen = sentAt - Date.now() / 1000;
  // The quickest message tells the offset best; forgotten slowly, as clocks drift and get set.
  offset = seen > offset || seen < offset - 5 ? seen : offset - 0.0002;
}

/** Seconds since 1970. */
export const serverNow = () => Date.now() / 1000 + (Number.isFinite(offset) ? offset : 0);
