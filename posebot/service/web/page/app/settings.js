// Preferences in the browser's local storage.

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
    // Storage is disabled: the choice lasts until the page is closed.
  }
}
