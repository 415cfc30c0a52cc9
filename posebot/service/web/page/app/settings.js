// What this browser remembers: nothing secret, and nothing that has to be there.

/** @param {string} name @param {string} otherwise */
export function remembered(name, otherwise) {
  try {
    return localStorage.getItem(`posebot.${name}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
  try {
    localStorage.setItem(`posebot.${name}`, value);
  } catch {
    // A browser that keeps nothing: the choice lasts until the page is closed.
  }
}
