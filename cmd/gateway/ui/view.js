import {Table, button, element, fillBar, setText} from "./table.js";
import * as actions from "./actions.js";

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const count = (n) => number.format(n ?? 0);

function span(seconds) {
  if (seconds < 0) return "now";
  if (seconds < 100) return `${Math.ceil(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

// until counts by the replica's clock, whatever this one says.
const until = (d, at) => (Date.parse(at) - Date.parse(d.at)) / 1000;

// pressure is how much of a quota is spent, and above 1 what is worse.
function pressure(q) {
  if (q.blocked) return 3;
  const spent = q.limit > 0 ? 1 - q.remaining / q.limit : 0;
  return q.waiting > 0 ? 2 + Math.min(0.9, spent) : spent;
}

function note(cell, main, ...notes) {
  const texts = notes.filter((n) => n && n[1]);
  while (cell.childElementCount > texts.length + 1) cell.lastElementChild.remove();
  while (cell.childElementCount < texts.length + 1) cell.append(element("span"));
  setText(cell.children[0], main);
  texts.forEach(([className, text], i) => {
    cell.children[i + 1].className = `note ${className}`;
    setText(cell.children[i + 1], text);
  });
}

// toggles puts buttons into a cell once; each is shown while its test holds.
function toggles(cell, row, r, list) {
  if (!cell.firstElementChild) {
    const place = element("div", {class: "actions change"});
    for (const [text, act] of list) place.append(button(text, () => act(r.row)));
    cell.append(place);
  }
  const focused = document.activeElement;
  list.forEach(([, , shown], i) => (cell.firstElementChild.children[i].hidden = !shown(row)));
  if (focused.hidden && cell.contains(focused)) cell.querySelector("button:not([hidden])")?.focus();
}

let d = null; // the document that is shown
const column = (title, fill) => ({title, fill: (cell, row, r) => fill(cell, row, r)});
const text = (title, of) => column(title, (cell, row) => setText(cell, of(row)));
const figure = (title, of) => ({...column(title, (cell, row) => setText(cell, of(row))), number: true});

function callersOf(q) {
  const busy = (q.callers ?? []).filter((c) => c.used > 0 || c.waiting > 0);
  const shown = busy.slice(0, 4).map((c) => `${c.caller || "others"} ${count(c.used)}${c.waiting ? ` (${count(c.waiting)} waiting)` : ""}`);
  return busy.length > 4 ? [...shown, `${busy.length - 4} more`].join(", ") : shown.join(", ");
}

function quotaTable() {
  return new Table($("quotas"), "Quota of each bucket", [
    column("Bucket", (cell, q) => note(cell, q.bucket,
      q.blocked && ["bad", `blocked for ${span(until(d, q.blocked.until))}${q.blocked.reason ? `: ${q.blocked.reason}` : ""}`],
      !q.enforced && ["warn", "not enforced"], q.local_share && ["warn", "spends without the store"], q.error && ["warn", q.error])),
    column("Spent", (cell, q) => fillBar(cell, q.limit, q.own, q.external,
      q.limit > 0 ? `${count(q.own)} by us and ${count(q.external)} by others of ${count(q.limit)}` : "the limit is not known yet")),
    figure("Us", (q) => count(q.own)),
    figure("Others", (q) => count(q.external)),
    figure("Remaining", (q) => (q.limit > 0 ? `${count(q.remaining)} of ${count(q.limit)}` : "not known")),
    figure("Waiting", (q) => count(q.waiting)),
    figure("Resets in", (q) => (q.opens ? span(until(d, q.opens)) : "–")),
    text("Callers", callersOf),
    column("Change", (cell, q, r) => toggles(cell, q, r, [
      ["Block…", (q) => actions.block(q.bucket), (q) => !q.blocked], ["Unblock…", (q) => actions.unblock(q.bucket), (q) => q.blocked],
    ])),
  ], "No bucket that is used fits.");
}

function breakerTable() {
  const state = (b) => (b.forced ? `forced ${b.forced.state}` : b.state);
  return new Table($("breakers"), "Breakers", [
    column("Breaker", (cell, b) => note(cell, b.breaker)),
    column("State", (cell, b) => note(cell, state(b),
      b.forced && ["warn", `for ${span(until(d, b.forced.until))} by ${b.forced.by}: ${b.forced.reason}`],
      !b.forced && b.state !== "closed" && ["bad", b.reason])),
    figure("Failures", (b) => count(b.failures)),
    figure("Successes", (b) => count(b.successes)),
    figure("Next probe", (b) => (b.next_probe ? span(until(d, b.next_probe)) : "–")),
    column("Change", (cell, b, r) => toggles(cell, b, r, [
      ["Open…", (b) => actions.force(b.breaker, "open"), (b) => b.forced?.state !== "open"],
      ["Close…", (b) => actions.force(b.breaker, "closed"), (b) => b.forced?.state !== "closed" && b.state !== "closed"],
      ["Reset…", (b) => actions.reset(b.breaker), (b) => b.forced || b.state !== "closed"],
    ])),
  ], "No breaker that is used fits.");
}

function refusalTable() {
  return new Table($("refusals"), "Last refusals of this replica", [
    column("Request", (cell, f) => {
      if (!cell.firstElementChild) cell.append(button(f.request, () => actions.explain(f.request), "link"));
    }),
    text("Ago", (f) => span(-until(d, f.at))),
    text("Caller", (f) => f.caller ?? "not known"),
    text("Service", (f) => [f.environment, f.service].filter(Boolean).join("/")),
    column("Why", (cell, f) => note(cell, `${f.status} ${f.problem}`, ["quiet", f.detail])),
  ], "None.");
}

const sum = (counts) => Object.values(counts ?? {}).reduce((a, b) => a + b, 0);
const bytes = (n) => (n >= 1 << 20 ? `${count(Math.round(n / (1 << 20)))} MiB` : `${count(Math.round(n / 1024))} KiB`);

function cacheTable() {
  return new Table($("cache"), "Cache by service", [
    text("Service", (s) => `${s.environment}/${s.service}`),
    figure("Hits", (s) => count(s.hits + s.coalesced + s.revalidated + sum(s.stale))),
    figure("Misses", (s) => count(sum(s.misses))),
    figure("Calls saved", (s) => count(s.saved_calls)),
    figure("Quota saved", (s) => count(s.saved_tokens)),
    figure("Memory", (s) => bytes(s.bytes)),
    column("Change", (cell, s, r) => toggles(cell, s, r, [["Purge…", (s) => actions.purge(s.environment, s.service), () => true]])),
  ], "Nothing was asked that could be kept.");
}

function overrideTable() {
  return new Table($("overrides"), "Overrides", [
    column("Setting", (cell, o) => note(cell, o.key, o.unfit && ["warn", `does nothing here: ${o.unfit}`])),
    text("Value", (o) => o.value),
    text("Ends in", (o) => span(until(d, o.until)) + (o.until_reload ? ", or with the next change of the configuration" : "")),
    text("By", (o) => o.by),
    text("Why", (o) => o.reason),
  ], "None.");
}

function tokenTable() {
  return new Table($("tokens"), "Upstream tokens", [
    text("Credential", (t) => `${t.environment}/${t.credential}`),
    column("State", (cell, t) => note(cell, t.state, ["bad", t.last_error])),
    text("Expires in", (t) => (t.expires ? span(until(d, t.expires)) : "–")),
    text("Renewed in", (t) => (t.refresh ? span(until(d, t.refresh)) : "–")),
    figure("Refusals", (t) => count(t.refusals)),
  ], "No credential is configured.");
}

function fleetTable() {
  return new Table($("fleet"), "Replicas", [
    column("Replica", (cell, m) => note(cell, m.replica, m.replica === d.status.replica && ["quiet", "this one"])),
    column("Version", (cell, m) => note(cell, m.version, m.version !== d.status.version && ["warn", "another than this one's"])),
    column("Configuration", (cell, m) => note(cell, m.config_hash?.slice(0, 12) ?? "not known")),
    text("Up for", (m) => span(-until(d, m.started))),
  ], "This replica is alone, or Redis does not answer.");
}

function tiles() {
  const total = (list, of) => list.reduce((n, x) => n + of(x), 0);
  const pressed = d.quotas.filter((q) => pressure(q) >= 0.9).length, services = d.cache.services;
  return [
    ["State", d.status.state, d.status.state === "ok" ? "good" : "bad"],
    ["Waiting", count(total(d.quotas, (q) => q.waiting)), ""],
    ["Quotas nearly spent", `${count(pressed)} of ${count(d.quotas.length)}`, pressed ? "warn" : ""],
    ["Breakers not closed", `${count((d.status.disturbed ?? []).length)} of ${count(d.status.breakers)}`, d.status.disturbed ? "bad" : ""],
    ["Calls saved", count(total(services, (s) => s.saved_calls)), ""],
    ["Quota saved", count(total(services, (s) => s.saved_tokens)), ""],
    ["Replicas", count(Math.max(1, (d.status.replicas ?? []).length)), ""],
  ];
}

function showTiles() {
  tiles().forEach(([name, value, className], i) => {
    const tile = $("tiles").children[i] ?? $("tiles").appendChild(element("div", {}, element("dt"), element("dd")));
    setText(tile.children[0], name);
    setText(tile.children[1], value);
    tile.children[1].className = className;
  });
  const checks = d.status.checks.filter((c) => c.state !== "ok").map((c) => `${c.name} ${c.state}${c.detail ? `: ${c.detail}` : ""}`);
  const failing = [...(d.status.trouble ?? []), ...checks];
  if ([...$("checks").children].map((c) => c.textContent).join("\n") === failing.join("\n")) return;
  $("checks").replaceChildren(...failing.map((t) => element("li", {}, t)));
}

const orders = {
  pressure: (a, b) => pressure(b) - pressure(a) || a.bucket.localeCompare(b.bucket),
  waiting: (a, b) => b.waiting - a.waiting || a.bucket.localeCompare(b.bucket),
  name: (a, b) => a.bucket.localeCompare(b.bucket),
};

// Who filters looks for something: idle or not, it is shown.
const busyQuota = (q) => q.in_use || q.blocked || q.waiting > 0;
const busyBreaker = (b) => b.forced || b.state !== "closed" || b.successes + b.failures > 0;
const disturbed = (b) => (b.forced || b.state !== "closed" ? 1 : 0);

// View shows documents.
export class View {
  constructor() {
    this.quotas = quotaTable();
    this.breakers = breakerTable();
    this.refusals = refusalTable();
    this.cache = cacheTable();
    this.overrides = overrideTable();
    this.tokens = tokenTable();
    this.fleet = fleetTable();
    $("filter").addEventListener("input", () => this.show());
    for (const id of ["order", "idle"]) $(id).addEventListener("change", () => this.show());
    $("purge").addEventListener("click", () => actions.purge());
  }

  show(document = d) {
    if (!(d = document)) return;
    const wanted = $("filter").value.trim().toLowerCase();
    const fits = (...texts) => texts.some((t) => t?.toLowerCase().includes(wanted));
    const all = wanted !== "" || $("idle").checked;
    setText($("replica"), `replica ${d.status.replica}, version ${d.status.version}`);
    showTiles();
    const quotas = d.quotas.filter((q) => (all || busyQuota(q)) && fits(q.bucket, ...(q.callers ?? []).map((c) => c.caller)));
    this.quotas.show(quotas.sort(orders[$("order").value]), (q) => q.bucket);
    const breakers = d.breakers.filter((b) => (all || busyBreaker(b)) && fits(b.breaker));
    this.breakers.show(breakers.sort((a, b) => disturbed(b) - disturbed(a) || a.breaker.localeCompare(b.breaker)), (b) => b.breaker);
    this.refusals.show(d.refusals.filter((f) => fits(f.service, f.caller, f.environment, f.problem)), (f) => f.request);
    this.cache.show(d.cache.services.filter((s) => fits(`${s.environment}/${s.service}`)), (s) => `${s.environment}/${s.service}`);
    this.overrides.show(d.status.overrides ?? [], (o) => o.key);
    this.tokens.show(d.tokens, (t) => `${t.environment}/${t.credential}`);
    this.fleet.show(d.status.replicas ?? [], (m) => m.replica);
  }
}
