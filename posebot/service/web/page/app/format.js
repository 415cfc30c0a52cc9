// Number formatting. A missing value is a dash; the minus sign is as wide as a digit.

const DASH = "–";

/** @param {number|null|undefined} value @param {number} digits after the point */
export function fixed(value, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? (0).toFixed(digits) : text).replace("-", "−");
}

/** @param {number|null|undefined} metres @param {"mm"|"m"} unit */
export const length = (metres, unit) =>
  metres === null || metres === undefined ? DASH : unit === "mm" ? fixed(metres * 1000, 1) : fixed(metres, 4);

/** @param {number|null|undefined} share 0..1; never rounded up to 100 % */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return DASH;
  const value = share < 1 ? Math.min(Math.round(share * 100), 99) : 100;
  return `${value} %`;
}

/** @param {number|null|undefined} ms */
export function milliseconds(ms) {
  if (ms === null || ms === undefined) return DASH;
  if (ms >= 9999.5) return `${fixed(ms / 1000, 1)} s`;
  return `${fixed(ms, ms < 9.95 ? 1 : 0)} ms`;
}

/** A short time, counting. @param {number|null|undefined} s */
export function seconds(s) {
  if (s === null || s === undefined) return DASH;
  return s < 9.95 ? `${fixed(Math.max(s, 0), 1)} s` : duration(s);
}

/** @param {number|null|undefined} s */
export function duration(s) {
  if (s === null || s === undefined || !Number.isFinite(s)) return DASH;
  const whole = Math.max(0, Math.round(s));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** Local time of a moment; with the date where it is not today. @param {number|null|undefined} epochS */
export function moment(epochS) {
  if (!epochS) return DASH;
  const date = new Date(epochS * 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(two).join("-");
  return date.toDateString() === new Date().toDateString() ? time : `${day} ${time}`;
}

/** @param {number|null|undefined} count */
export function bytes(count) {
  if (count === null || count === undefined) return DASH;
  const power = Math.min(3, Math.floor(Math.log10(Math.max(count, 1)) / 3));
  return `${fixed(count / 1000 ** power, power ? 1 : 0)} ${["B", "kB", "MB", "GB"][power]}`;
}

/** @param {number} count */
export const whole = (count) => count.toLocaleString("en", { useGrouping: true }).replaceAll(",", "\u202f");

/** `tea_box` as `tea box`. @param {string} text */
export const plain = (text) => text.replaceAll("_", " ");
