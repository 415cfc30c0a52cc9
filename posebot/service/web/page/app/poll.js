// Asking again and again, but only while somebody looks.

/**
 * @param {() => Promise<void>} ask its errors are its own business
 * @param {() => number|null} pauseMs until the next time; null: not now
 * @returns {() => void} ask at once
 */
export function poll(ask, pauseMs) {
  let timer = 0;
  let asking = false;
  const next = () => {
    clearTimeout(timer);
    const pause = document.hidden ? null : pauseMs();
    timer = setTimeout(pause === null ? next : now, pause ?? 500);
  };
  const now = async () => {
    if (asking) return;
    asking = true;
    await ask();
    asking = false;
    next();
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden && pauseMs() !== null) now(); });
  next();
  return now;
}
