// Polling that pauses while the page is hidden.

/**
 * @param {() => Promise<void>} ask must handle its own errors
 * @param {() => number|null} pauseMs until the next request; null: paused
 * @returns {() => void} polls at once
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
