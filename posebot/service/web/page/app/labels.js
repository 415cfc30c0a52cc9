// Placement of labels beside objects in the image, with as little overlap as possible.

/**
 * @typedef {object} Box
 * @property {number} x
 * @property {number} y
 * @property {number} w
 * @property {number} h
 */

/**
 * Upper left corner for a label of the given size beside `box`, away from `others` (objects) and `placed` (labels).
 * @param {number} w
 * @param {number} h
 * @param {Box} box
 * @param {Box[]} others
 * @param {Box[]} placed
 * @param {number} width of the image
 * @param {number} height
 * @returns {Box}
 */
export function place(w, h, box, others, placed, width, height) {
  const { x, y } = box;
  const [right, bottom] = [x + box.w, y + box.h];
  const spots = [
    [x, y - h - 2], [x, bottom + 2], [right - w, y - h - 2], [right - w, bottom + 2],
    [right + 2, y], [x - w - 2, y], [right + 2, bottom - h], [x - w - 2, bottom - h], [x, y + 2],
  ].map(([left, top]) => ({
    x: Math.max(0, Math.min(width - w, left)), y: Math.max(0, Math.min(height - h, top)), w, h,
  }));
  const cost = (/** @type {Box} */ spot, /** @type {number} */ index) =>
    0.02 * index + covered(spot, others) + 4 * covered(spot, placed);
  return spots.reduce((best, spot, index) => (cost(spot, index) < best.cost ? { spot, cost: cost(spot, index) } : best),
    { spot: spots[0], cost: Infinity }).spot;
}

/** Share of `spot` that the boxes cover, summed. @param {Box} spot @param {Box[]} boxes */
function covered(spot, boxes) {
  let area = 0;
  for (const box of boxes) {
    const w = Math.min(spot.x + spot.w, box.x + box.w) - Math.max(spot.x, box.x);
    const h = Math.min(spot.y + spot.h, box.y + box.h) - Math.max(spot.y, box.y);
    if (w > 0 && h > 0) area += w * h;
  }
  return area / (spot.w * spot.h);
}
