// The login page: exchanges a key for a session cookie, then goes on to the requested page.
const form = /** @type {HTMLFormElement} */ (document.getElementById("login"));
const input = /** @type {HTMLInputElement} */ (document.getElementById("key"));
const problem = /** @type {HTMLElement} */ (document.getElementById("problem"));
const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));

/** @param {string} text */
function showProblem(text) {
  problem.textContent = text;
  problem.hidden = !text;
  input.toggleAttribute("aria-invalid", Boolean(text));
  if (text) input.setAttribute("aria-invalid", "true");
}

/** @param {Response} response @returns {Promise<string>} why the key was rejected */
async function reason(response) {
  if (response.status === 401) return "This key is not valid: mistyped, expired or revoked.";
  if (response.status === 429) {
    const seconds = response.headers.get("Retry-After");
    return `Too many attempts. Try again ${seconds ? `in ${seconds} s` : "in a minute"}.`;
  }
  const body = await response.json().catch(() => null);
  return body?.error?.message ?? `The service answered with status ${response.status}. See its log.`;
}

/** @param {string} key */
async function signIn(key) {
  const response = await fetch("/v1/auth/login", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key }),
  });
  if (response.ok) location.replace("/" + location.hash);
  else showProblem(await reason(response));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = input.value.trim();
  if (!key) {
    showProblem("Enter a key.");
    input.focus();
    return;
  }
  button.disabled = true;
  await signIn(key).catch(() => showProblem("The service does not respond. Is posebot running?"));
  button.disabled = false;
  if (!problem.hidden) input.select();
});

// A link may hold the key (`posebot demo` prints one) in its fragment, which browsers do not send; it is removed at once.
const linked = new URLSearchParams(location.hash.slice(1)).get("key");
if (linked) {
  history.replaceState(null, "", "/login");
  signIn(linked).catch(() => showProblem("The service does not respond. Is posebot running?"));
}
