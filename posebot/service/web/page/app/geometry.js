// Rigid transforms as the API gives them: 4x4, rows, `a_from_b`, metres. See posebot/core/transforms.py.

/** @typedef {number[][]} Matrix */
/** @typedef {[number, number, number]} Vector */

/** @param {Matrix} m @returns {Vector} */
export const positionOf = (m) => [m[0][3], m[1][3], m[2][3]];

/** @param {Matrix} m @param {ArrayLike<number>} p @returns {Vector} */
export function apply(m, p) {
  return [
    m[0][0] * p[0] + m[0][1] * p[1] + m[0][2] * p[2] + m[0][3],
    m[1][0] * p[0] + m[1][1] * p[1] + m[1][2] * p[2] + m[1][3],
    m[2][0] * p[0] + m[2][1] * p[1] + m[2][2] * p[2] + m[2][3],
  ];
}

/** @param {Matrix} a @param {Matrix} b @returns {Matrix} */
export const multiply = (a, b) => a.map((row) => b[0].map((_, j) => row.reduce((sum, value, k) => sum + value * b[k][j], 0)));

/** Pixel of a point in the camera frame; K is row-major. @param {number[]} K @param {ArrayLike<number>} p @returns {[number, number]} */
export const project = (K, p) => [K[0] * (p[0] / p[2]) + K[1] * (p[1] / p[2]) + K[2], K[4] * (p[1] / p[2]) + K[5]];

/**
 * Roll, pitch, yaw in degrees: turns about the frame's fixed x, y and z axes, in this order (as in ROS).
 * @param {Matrix} m @returns {Vector}
 */
export function rollPitchYaw(m) {
  const degrees = 180 / Math.PI;
  const pitch = Math.asin(Math.max(-1, Math.min(1, -m[2][0])));
  if (Math.abs(m[2][0]) > 1 - 1e-9) return [0, pitch * degrees, Math.atan2(-m[0][1], m[1][1]) * degrees];
  return [Math.atan2(m[2][1], m[2][2]) * degrees, pitch * degrees, Math.atan2(m[1][0], m[0][0]) * degrees];
}

/** Unit quaternion x, y, z, w with w >= 0 (Shepperd 1978: from the largest component). @param {Matrix} m @returns {number[]} */
export function quaternion(m) {
  const [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = m;
  const candidates = [
    [1 + xx - yy - zz, xy + yx, xz + zx, zy - yz],
    [xy + yx, 1 - xx + yy - zz, yz + zy, xz - zx],
    [xz + zx, yz + zy, 1 - xx - yy + zz, yx - xy],
    [zy - yz, xz - zx, yx - xy, 1 + xx + yy + zz],
  ];
  const best = candidates.reduce((a, b, i) => (b[i] > a[0] ? [b[i], i] : a), [-Infinity, 0])[1];
  const q = candidates[best];
  const norm = Math.hypot(...q) * (q[3] < 0 ? -1 : 1);
  return q.map((value) => value / norm);
}

/** R C R^T of the upper left 3x3 of a covariance, in the frame `a` of a_from_b. @param {Matrix} aFromB @param {Matrix} covariance */
export function rotatedCovariance(aFromB, covariance, offset = 0) {
  const at = (i, j) => {
    let sum = 0;
    for (let k = 0; k < 3; k++) for (let l = 0; l < 3; l++) sum += aFromB[i][k] * covariance[k + offset][l + offset] * aFromB[j][l];
    return sum;
  };
  return [0, 1, 2].map((i) => [0, 1, 2].map((j) => at(i, j)));
}

/**
 * Lower triangular L with L L^T = C (3x3). L takes the unit sphere to the ellipsoid of one standard deviation.
 * @param {Matrix} c @returns {Matrix}
 */
export function cholesky(c) {
  const root = (value) => Math.sqrt(Math.max(value, 1e-16));
  const a = root(c[0][0]);
  const b = c[1][0] / a;
  const d = c[2][0] / a;
  const e = root(c[1][1] - b * b);
  const f = (c[2][1] - d * b) / e;
  return [[a, 0, 0], [b, e, 0], [d, f, root(c[2][2] - d * d - f * f)]];
}
