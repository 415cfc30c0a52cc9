// The login page: a key in, a cookie back, and on to where the visitor wanted to go.
const form = /** @type {HTMLFormElement} */ (document.getElementById("login"));
const input = /** @type {HTMLInputElement} */ (document.getElementById("key"));
const problem = /** @type {HTMLElement} */ (document.getElementById("problem"));
const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));

/** @param {string} text */
function tell(text) {
  problem.textContent = text;
  problem.hidden = !text;
  input.toggleAttribute("aria-invalid", Boolean(text));
  if (text) input.setAttribute("aria-invalid", "true");
}

/** @param {Response} response @returns {Promise<string>} why the key was not taken, for a person */
async function reason(response) {
  if (response.status === 401) return "This key is not valid here: mistyped, expired or revoked.";
  if (response.status === 429) {
    const seconds = response.headers.get("Retry-After");
    return `Too many attempts. Try again ${seconds ? `in ${seconds} s` : "in a minute"}.`;
  }
  const said = await response.json().catch(() => null);
  return said?.error?.message ?? `The service answered ${response.status}. Its log says more.`;
}

/** @param {string} key */
async function signIn(key) {
  const response = await fetch("/v1/auth/login", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key }),
  });
  if (response.ok) location.replace("/" + location.hash);
  else tell(await reason(response));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = input.value.trim();
  if (!key) {
    tell("Enter a key.");
    input.focus();
    return;
  }
  button.disabled = true;
  await signIn(key).catch(() => tell("The service does not answer. Is posebot still running?"));
  button.disabled = false;
  if (!problem.hidden) input.select();
});

// A link may bring the key (`posebot demo` prints one): behind the #, which browsers do not send, and at once taken away.
const brought = new URLSearchParams(location.hash.slice(1)).get("key");
if (brought) {
  history.replaceState(null, "", "/login");
  signIn(brought).catch(() => tell("The service does not answer. Is posebot still running?"));
}
