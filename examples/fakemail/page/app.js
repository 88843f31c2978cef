// The page of fakemail. What messages hold is a stranger's: it becomes text nodes,
// never markup, and HTML is shown in a sandboxed frame alone.
"use strict";

const $ = (id) => document.getElementById(id);
const tabs = ["text", "html", "header", "parts", "source"];

let messages = new Map(); // id to summary, oldest first
let state = null;         // what the server says of the list
let shown = null;         // the details of the open message
let tab = "text";
let events = null;
let matches = null;       // ids that the search found, or null

// make builds an element of text and other elements.
function make(name, props = {}, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(props)) {
    if (k in e) e[k] = v; else e.setAttribute(k, v);
  }
  e.append(...children);
  return e;
}

async function ask(path, options) {
  const r = await fetch(path, options);
  if (!r.ok) throw new Error(String(r.status));
  return r.json();
}

// load reads the whole list, and listens for what comes after it.
async function load() {
  const all = await ask("/api/messages");
  messages = new Map(all.messages.map((m) => [m.id, m]));
  state = all.state;
  listen();
  await search();
  await openFromAddress();
}

function listen() {
  if (events) events.close();
  const last = Math.max(state.oldest - 1, ...messages.keys());
  events = new EventSource("/api/events?after=" + last);
  events.onopen = () => live(true);
  events.onerror = () => live(false);
  events.addEventListener("message", (e) => arrived(JSON.parse(e.data)));
  events.addEventListener("state", (e) => changed(JSON.parse(e.data)));
}

function live(on) {
  $("live").textContent = on ? "live" : "connecting";
  $("live").classList.toggle("on", on);
}

function arrived(m) {
  messages.set(m.id, m);
  if ($("search").value.trim()) search(); else paint();
}

// changed drops what is gone. Another epoch says that messages were deleted, or
// that this is another server.
function changed(now) {
  if (now.epoch !== state.epoch) {
    load().catch(again);
    return;
  }
  state = now;
  for (const id of messages.keys()) if (id < now.oldest) messages.delete(id);
  paint();
}

function again() {
  live(false);
  setTimeout(() => load().catch(again), 1000);
}

// search asks the server, which looks into texts too.
let searches = 0;
async function search() {
  const q = $("search").value.trim();
  const turn = ++searches;
  if (!q) {
    matches = null;
  } else {
    const found = await ask("/api/messages?q=" + encodeURIComponent(q));
    if (turn !== searches) return; // a later one is under way
    matches = new Set(found.messages.map((m) => m.id));
  }
  paint();
}

const visible = () => [...messages.values()].filter((m) => !matches || matches.has(m.id)).reverse();

// paint brings the list up to date and leaves the rows that are there in their
// place, so that the focus stays where it is.
function paint() {
  const list = $("list");
  const want = visible();
  const rows = new Map([...list.children].map((row) => [Number(row.dataset.id), row]));
  const keep = new Set(want.map((m) => m.id));
  for (const [id, row] of rows) if (!keep.has(id)) row.remove();
  let next = list.firstElementChild;
  for (const m of want) {
    const row = rows.get(m.id);
    if (row && row === next) next = row.nextElementSibling;
    else list.insertBefore(row || line(m), next);
  }
  for (const row of list.children) {
    const open = shown && Number(row.dataset.id) === shown.id;
    if (open) row.firstElementChild.setAttribute("aria-current", "true");
    else row.firstElementChild.removeAttribute("aria-current");
  }
  const n = messages.size;
  $("count").textContent = matches ? `${want.length} of ${n} found` : n === 1 ? "1 message" : `${n} messages`;
  document.title = n ? `fakemail (${n})` : "fakemail";
  $("clear").disabled = n === 0;
  if (shown && !messages.has(shown.id)) close();
}

function line(m) {
  const when = new Date(m.received);
  const button = make("button", { type: "button", onclick: () => open(m.id) },
    make("span", { className: "who" }, m.author || m.from || "<>"),
    make("time", { dateTime: m.received, title: when.toLocaleString() }, when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })),
    make("span", { className: "subject" }, m.subject || "(no subject)"),
    make("span", { className: "to" }, "to " + m.to.join(", ")),
    make("span", { className: "preview" }, m.preview));
  const row = make("li", {}, button);
  row.dataset.id = m.id;
  return row;
}

let opens = 0;
async function open(id, view) {
  const turn = ++opens;
  const m = await ask("/api/messages/" + id).catch(() => null);
  if (!m || turn !== opens) return; // gone, or another was opened meanwhile
  shown = m;
  $("subject").textContent = m.subject || "(no subject)";
  const facts = [["From", m.author || "(nobody)"], ["Envelope", `${m.from || "<>"} to ${m.to.join(", ")}`],
    ["Received", `${new Date(m.received).toLocaleString()} by ${m.protocol}${m.user ? ", logged in as " + m.user : ""}, ${size(m.size)}`]];
  if (m.defects.length) facts.push(["Defects", m.defects.join(", ")]);
  $("facts").replaceChildren(...facts.flatMap(([k, v]) => [make("dt", {}, k), make("dd", {}, v)]));
  $("tab-html").disabled = !m.hasHTML;
  $("tab-parts").disabled = !m.parts.length;
  $("tab-parts").textContent = m.parts.length ? `Attachments (${m.parts.length})` : "Attachments";
  $("message").hidden = false;
  $("empty").hidden = true;
  paint();
  await choose(view || (m.hasHTML && (tab === "html" || !m.text) ? "html" : "text"));
}

function close() {
  shown = null;
  opens++;
  $("message").hidden = true;
  $("empty").hidden = false;
  history.replaceState(null, "", "#");
  paint();
}

const size = (n) => n < 1024 ? n + " B" : n < 1048576 ? (n / 1024).toFixed(1) + " KB" : (n / 1048576).toFixed(1) + " MB";

// linked makes URLs in a text links, which open elsewhere and tell nothing of here.
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}])/).map((s, i) =>
    i % 2 ? make("a", { href: s, target: "_blank", rel: "noopener noreferrer" }, s) : s);
}

// views fill the panel; each gives the elements to show.
const views = {
  text: (m) => [m.text ? make("pre", { className: "text" }, ...linked(m.text)) : make("p", { className: "note" }, "This message has no text."),
    ...(m.truncated ? [make("p", { className: "note" }, "The rest is in the source.")] : [])],
  html: (m) => {
    const frame = make("iframe", { title: "The message as HTML" });
    frame.setAttribute("sandbox", ""); // before it has an address
    frame.src = `/api/messages/${m.id}/html`;
    return [frame];
  },
  header: (m) => [make("dl", {}, ...m.header.flatMap((f) => [make("dt", {}, f.name || "(no field)"), make("dd", {}, f.value)]))],
  parts: (m) => [make("ul", {}, ...m.parts.map((p) => make("li", {},
    make("a", { href: `/api/messages/${m.id}/parts/${p.part}`, download: p.name }, p.name), make("span", {}, `${p.type}, ${size(p.size)}`))))],
  source: async (m) => {
    const r = await fetch(`/api/messages/${m.id}/source`);
    return [make("pre", {}, r.ok ? await r.text() : "The message is gone.")];
  },
};

async function choose(name) {
  const m = shown;
  if (!m || $("tab-" + name).disabled) return;
  tab = name;
  for (const t of tabs) {
    $("tab-" + t).setAttribute("aria-selected", String(t === name));
    $("tab-" + t).tabIndex = t === name ? 0 : -1;
  }
  $("panel").setAttribute("aria-labelledby", "tab-" + name);
  const content = await views[name](m);
  if (shown !== m || tab !== name) return;
  $("panel").replaceChildren(...content);
  $("panel").dataset.view = name;
  history.replaceState(null, "", `#${m.id}/${name}`);
}

async function openFromAddress() {
  const [id, view] = location.hash.slice(1).split("/");
  if (id && messages.has(Number(id))) await open(Number(id), tabs.includes(view) ? view : undefined);
}

// step opens the next message of the list, or the one before.
function step(by) {
  const list = visible();
  const at = shown ? list.findIndex((m) => m.id === shown.id) : -1;
  const next = list[at < 0 ? 0 : at + by];
  if (!next) return;
  open(next.id);
  const row = [...$("list").children].find((r) => Number(r.dataset.id) === next.id);
  row.firstElementChild.focus();
  row.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "Escape") {
    if ($("search").value) { $("search").value = ""; search(); } else if (shown) close();
    return;
  }
  if (e.target === $("search")) return;
  if (e.key === "/") { e.preventDefault(); $("search").focus(); }
  else if (e.key === "j") step(1);
  else if (e.key === "k") step(-1);
  else if (e.key >= "1" && e.key <= "5") choose(tabs[e.key - 1]);
});

$("tabs").addEventListener("keydown", (e) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
  if (!by) return;
  e.preventDefault();
  let i = tabs.indexOf(tab);
  do { i = (i + by + tabs.length) % tabs.length; } while ($("tab-" + tabs[i]).disabled);
  choose(tabs[i]);
  $("tab-" + tabs[i]).focus();
});
for (const t of tabs) $("tab-" + t).onclick = () => choose(t);
$("search").addEventListener("input", () => search().catch(() => live(false)));
$("clear").onclick = () => ask("/api/messages", { method: "DELETE" }).catch(() => live(false));
$("delete").onclick = () => shown && ask("/api/messages/" + shown.id, { method: "DELETE" }).catch(() => live(false));
window.addEventListener("hashchange", openFromAddress);

load().catch(again);
