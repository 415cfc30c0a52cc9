// Entry point: session, routing between the views, polling.

import { get, post } from "./api.js";
import { noteServerTime } from "./clock.js";
import { byId, setText } from "./dom.js";
import { JobsView } from "./jobs.js";
import { Live } from "./live.js";
import { ModelsView } from "./models.js";
import { poll } from "./poll.js";
import { remember, remembered } from "./settings.js";
import { StreamsView } from "./streams.js";
import { errorText } from "./terms.js";

const VIEWS = ["live", "streams", "jobs", "models"];
const SCOPES = ["read", "infer", "operate", "admin"];

/** @typedef {{may: (scope: string) => boolean, notify: (text: string) => void, name: string}} Session */

/** @param {string} text shown at the top of the page until it is closed; "" hides it */
function notify(text) {
  const notice = byId("notice");
  notice.hidden = !text;
  notice.replaceChildren();
  if (!text) return;
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => notify(""));
  notice.append(Object.assign(document.createElement("span"), { textContent: text }), close);
}

/** @returns {string[]} view and argument of the URL's fragment, `#live/wrist` */
function currentRoute() {
  const [view, ...rest] = location.hash.slice(1).split("/");
  return VIEWS.includes(view) ? [view, decodeURIComponent(rest.join("/"))] : ["live", ""];
}

/** @param {Record<string, any>} views */
function route(views) {
  const [name, argument] = currentRoute();
  for (const view of VIEWS) byId(`view-${view}`).hidden = view !== name;
  for (const link of document.querySelectorAll(".tabs a")) {
    if (link.getAttribute("href") === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (name === "live") {
    if (argument) views.live.watch(argument);
  } else {
    document.title = `${name.charAt(0).toUpperCase()}${name.slice(1)} – posebot`;
    views[name].refresh();
  }
}

function menu() {
  const details = byId("menu");
  document.addEventListener("click", (event) => { if (!details.contains(event.target)) details.open = false; });
  details.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    byId("who").focus();
    event.stopPropagation();
  });
  byId("theme").value = remembered("theme", "auto");
  byId("theme").addEventListener("change", () => {
    remember("theme", byId("theme").value);
    dispatchEvent(new Event("themechosen"));
  });
  byId("sign-out").addEventListener("click", async () => {
    await post("/auth/logout").catch(() => null);
    location.assign("/login");
  });
  byId("skip").addEventListener("click", (/** @type {Event} */ event) => {
    event.preventDefault();
    byId("main").focus();
  });
}

/** @param {any} identity @returns {Session} */
function sessionOf(identity) {
  const rank = Math.max(...identity.scopes.map((/** @type {string} */ scope) => SCOPES.indexOf(scope)));
  return { name: identity.name, may: (scope) => SCOPES.indexOf(scope) <= rank, notify };
}

async function showInfo() {
  const info = await get("/info").catch(() => null);
  if (!info) return;
  noteServerTime(info.server_time);
  setText(byId("service"), `model ${info.active}, ${info.profile}, posebot ${info.version}`);
}

async function start() {
  menu();
  const identity = await get("/auth/me");
  const session = sessionOf(identity);
  setText(byId("identity"), `Signed in as ${identity.name}, scopes: ${identity.scopes.join(", ")}`);
  const live = new Live(session);
  const streams = new StreamsView(byId("view-streams"), session);
  byId("loading").remove();
  const views = { live, streams, jobs: new JobsView(byId("view-jobs"), session), models: new ModelsView(byId("view-models"), session, showInfo) };
  streams.addEventListener("change", () => live.offer(streams.list));
  addEventListener("hashchange", () => route(views));
  route(views);
  streams.refresh();
  await showInfo();
  poll(showInfo, () => 60000);
}

start().catch((error) => notify(`The page could not start. ${errorText(error)} Reload it to try again.`));
