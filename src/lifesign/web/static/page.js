// What every page does beyond HTML: keys, theme, times, copying, dialogs, the day bars, and the live stream.
const root = document.documentElement;
root.classList.add("js");

const onPage = (type, act) => document.addEventListener(type, act);
const each = (selector, act, within = document) => within.querySelectorAll(selector).forEach(act);
const remember = (name, value) => { document.cookie = `lifesign_${name}=${value}; path=/; max-age=31536000; samesite=lax`; };

// Times: what the server said in UTC is aged here, and shown in local time where that is wanted.
const spans = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
function length(seconds) {
  let left = Math.max(0, Math.round(seconds));
  const parts = spans.map(([unit, size]) => { const amount = Math.floor(left / size); left -= amount * size; return [amount, unit]; });
  const first = Math.max(0, parts.findIndex(([amount]) => amount));
  const most = parts[first][1] === "s" || parts[first][1] === "min" ? 1 : 2;
  return parts.slice(first, first + most).filter(([amount], index) => amount || !index).map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}
// The server's clock counts: what this machine's own is ahead or behind is taken off.
const skew = (Date.parse(document.body?.dataset.rendered) || Date.now()) - Date.now();
function say(time) {
  const at = new Date(time.dateTime);
  const local = root.dataset.times === "local";
  const zone = local ? undefined : "UTC";
  const form = time.dataset.form;
  if (form === "hour") time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone });
  else if (form === "clock") time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone });
  else if (form === "full") { if (local) time.textContent = at.toLocaleString([], { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" }); }
  else if (form === "expiry") {
    const left = (at - Date.now() - skew) / 1000;
    time.textContent = left <= 0 ? `expired ${length(-left)} ago` : `expires in ${length(left)}`;
  }
  else if (form === "length") time.textContent = length((Date.now() + skew - at) / 1000);
  else {
    const past = (Date.now() + skew - at) / 1000;
    time.textContent = past < -1 ? `in ${length(-past)}` : past < 5 ? "just now" : `${length(past)} ago`;
  }
}
const sayTimes = () => each("time[datetime]", say);

// The theme button works without a reload.
onPage("click", (event) => {
  const button = event.target.closest?.("[data-theme-button]");
  if (!button) return;
  event.preventDefault();
  const next = { auto: "dark", dark: "light", light: "auto" }[root.dataset.theme] ?? "auto";
  root.dataset.theme = next;
  remember("theme", next);
  button.value = { auto: "dark", dark: "light", light: "auto" }[next];
  button.querySelector("span").textContent = `Theme: ${next}`;
  document.dispatchEvent(new CustomEvent("lifesign:theme"));
});

// Copying; the button is only there where a clipboard is.
function prepare() {
  sayTimes();
  if (navigator.clipboard) each("[data-copy]", (button) => { button.hidden = false; });
}
onPage("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  const label = button.firstChild;
  label.textContent = "Copied";
  setTimeout(() => { label.textContent = "Copy"; }, 1500);
});
onPage("click", (event) => {
  const link = event.target.closest?.("[data-dialog]");
  if (!link) return;
  event.preventDefault();
  document.getElementById(`dialog-${link.dataset.dialog}`)?.showModal();
});

// The day bars: one stop for the tab key, arrows within, the words below.
function showDay(day) {
  const words = day?.closest("section")?.querySelector(".daysay");
  if (words) words.textContent = day.getAttribute("aria-label");
}
onPage("pointerover", (event) => showDay(event.target.closest?.("[data-day]")));
onPage("focusin", (event) => showDay(event.target.closest?.("[data-day]")));
onPage("keydown", (event) => {
  const day = event.target.closest?.("[data-day]");
  if (!day) return;
  const days = [...day.parentNode.querySelectorAll("[data-day]")];
  const here = days.indexOf(day);
  const next = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: days.length - 1 }[event.key];
  if (next === undefined || !days[next]) return;
  event.preventDefault();
  day.setAttribute("tabindex", "-1");
  days[next].setAttribute("tabindex", "0");
  days[next].focus();
});

// Keys. Single ones can be turned off, and never act while somebody writes.
const isWriting = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog[open]");
function move(by) {
  const stops = [...document.querySelectorAll("#main .alert .of a, #main .monitors a.name, #main .closed a.name")];
  const here = stops.indexOf(document.activeElement);
  stops[Math.min(stops.length - 1, Math.max(0, here + by))]?.focus();
}
function press(key) {
  const within = document.activeElement?.closest?.(".alert, #watch") ?? document;
  (within.querySelector(`[data-key="${key}"]`) ?? document.querySelector(`[data-key="${key}"]`))?.click();
}
onPage("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    const box = document.getElementById("box");
    box?.focus();
    box?.select();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || root.dataset.keys === "off" || isWriting(event.target)) return;
  const act = {
    "/": () => document.getElementById("filter")?.focus(),
    "?": () => document.getElementById("help")?.showModal(),
    j: () => move(1), k: () => move(-1), a: () => press("a"), r: () => press("r"),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// Live: one stream a tab. News marks what is out of date; what is marked is fetched at most once a second.
const GATHER_MS = 400;
const RUNS_MS = 5000; // Runs that change no state are many and change a row little.
const ASLEEP_MS = 30000; // A tab that nobody sees gives its connection back: browsers have six a host.
const EVENTS = ["monitor.run", "monitor.state", "monitor.added", "monitor.changed", "monitor.removed", "monitor.drift", "monitor.drift_accepted", "monitor.surface_unstable", "monitor.surface_stable", "monitor.baseline_pinned", "monitor.baseline_unpinned", "release.announced", "release.cancelled", "alert.fired", "alert.escalated", "alert.acknowledged", "alert.resolved", "delivery.sent", "delivery.failed", "resync"];
const live = document.getElementById("live");
let heardAt = 0, isOpen = false, wasOpen = false, timer = 0, lastFetch = 0;
const stale = { rows: new Set(), page: false, watched: false };

function show() {
  if (!live || !document.body.dataset.events) return;
  const age = Math.round((Date.now() - heardAt) / 1000);
  const [state, words] = isOpen ? ["live", "live"] : age > 15 ? ["late", `data is ${length(age)} old`] : ["late", "reconnecting"];
  const text = live.querySelector("span");
  live.dataset.state = state;
  live.title = isOpen ? "Changes appear here as they happen." : "The connection to Lifesign is interrupted; it is tried again by itself.";
  if (text.textContent !== words) text.textContent = words;
}
const isBusy = (element) => element?.matches(":hover") || element?.contains(document.activeElement);

async function refresh(target, more = "") {
  if (!document.querySelector(target)) return;
  await window.htmx.ajax("GET", location.pathname + location.search, { target, select: target, swap: "outerMorph", selectOOB: more });
}
async function fetchStale() {
  timer = 0;
  lastFetch = Date.now();
  const rows = [...stale.rows].filter((id) => document.getElementById(`m-${id}`)).slice(0, 50);
  const { page, watched } = stale;
  stale.rows.clear();
  stale.page = stale.watched = false;
  if (document.hidden) { stale.page = true; return; }
  const list = document.querySelector("[data-list]");
  if (list && page) {
    // A list under the pointer or with the focus in it changes in place only; otherwise it is put in order again.
    const others = ["#attention", "#feed", "#nav"].filter((id) => document.querySelector(id)).map((id) => `${id}:outerMorph`);
    if (!isBusy(list)) others.push("#list:outerMorph");
    else if (rows.length) await window.htmx.ajax("GET", `/parts/rows?ids=${rows.join(",")}`, { target: "#main", swap: "none" });
    await refresh("#verdict", others.join(","));
  } else if (list && rows.length) {
    await window.htmx.ajax("GET", `/parts/rows?ids=${rows.join(",")}`, { target: "#main", swap: "none" });
  } else if (document.getElementById("watch") && (watched || page)) {
    if (![...document.querySelectorAll("#watch .acts")].some(isBusy)) await refresh("#watch", "#runs:outerMorph,#nav:outerMorph");
  } else if (page && document.getElementById("attention") && !isBusy(document.getElementById("attention"))) {
    await refresh("#verdict", "#attention:outerMorph,#nav:outerMorph");
  } else if (page && document.querySelector(".empty")) location.reload();
}
let dueAt = 0;
function soon(wait = GATHER_MS) {
  const at = Math.max(Date.now() + wait, lastFetch + 1000);
  if (timer && dueAt <= at) return;
  clearTimeout(timer);
  dueAt = at;
  timer = setTimeout(fetchStale, at - Date.now());
}
function hear(event) {
  heardAt = Date.now();
  let news = {};
  try { news = JSON.parse(event.data); } catch { /* a comment or a ping: it only says that the stream lives */ }
  const watch = document.getElementById("watch");
  if (news.monitor_id) stale.rows.add(news.monitor_id);
  if (event.type !== "monitor.run") stale.page = true;
  if (watch && watch.dataset.watch === news.monitor_id) stale.watched = true;
  if (watch && !stale.watched && event.type === "monitor.run") return;
  soon(event.type === "monitor.run" && !watch ? RUNS_MS : GATHER_MS);
}
let stream = null, asleep = 0;
function follow(url) {
  stream = new EventSource(url);
  stream.onopen = () => {
    // After a gap nobody knows what was missed, so the page is fetched once.
    if (wasOpen && !isOpen) { stale.page = stale.watched = true; soon(); }
    isOpen = wasOpen = true;
    heardAt = Date.now();
    show();
  };
  stream.onerror = () => {
    isOpen = false;
    show();
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => { if (!document.hidden) follow(url); }, 5000);
  };
  for (const type of EVENTS) stream.addEventListener(type, hear);
  stream.onmessage = hear;
}
function sleepOrWake(url) {
  clearTimeout(asleep);
  if (document.hidden) {
    asleep = setTimeout(() => { stream.close(); isOpen = false; }, ASLEEP_MS);
  } else if (stream.readyState === EventSource.CLOSED) {
    follow(url);
  } else if (stale.page || stale.watched || stale.rows.size) soon();
}
const url = document.body?.dataset.events;
if (url && live) {
  heardAt = Date.now();
  follow(url);
  setInterval(show, 1000);
  onPage("visibilitychange", () => sleepOrWake(url));
  addEventListener("pagehide", () => stream.close());
}
setInterval(sayTimes, 15000);
onPage("htmx:after:swap", prepare);
prepare();
if (navigator.platform?.startsWith("Mac")) each(".box kbd", (key) => { key.textContent = "⌘ K"; });
