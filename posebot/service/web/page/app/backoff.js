// Pauses between attempts: 0.5, 1, 2, 4, 8, 10, 10 … seconds, with 25 % jitter.

const FIRST_MS = 500;
const MAX_MS = 10000;

/** @param {number} attempt 0 for the first @param {() => number} [random] 0..1 */
export function pauseMs(attempt, random = Math.random) {
  const pause = Math.min(FIRST_MS * 2 ** attempt, MAX_MS);
  return pause * (0.75 + 0.5 * random());
}
