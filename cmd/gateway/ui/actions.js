import {element} from "./table.js";
import {get, post} from "./stream.js";

const $ = (id) => document.getElementById(id);
let act = null; // what the open dialog does when it is confirmed
let opener = null; // the button that opened it

const lasting = {name: "for", label: "For how long, as 10m or 1h30m", value: "10m"};
const reason = {name: "reason", label: "Reason, for whoever wonders", value: "", maxlength: 200};
const why = {...reason, label: "Reason, for the audit log (may be empty)", optional: true};

// ask opens the dialog; send gets the values of its fields.
function ask(title, text, verb, fields, send) {
  $("ask-title").textContent = title;
  $("ask-text").textContent = text;
  $("ask-do").textContent = verb;
  $("ask-problem").textContent = "";
  $("ask-fields").replaceChildren(...fields.flatMap((f) => {
    const label = element("label", {for: `ask-${f.name}`}, f.label);
    const input = element("input", {id: `ask-${f.name}`, name: f.name, autocomplete: "off", spellcheck: "false"});
    input.value = f.value;
    input.required = !f.optional;
    if (f.maxlength) input.maxLength = f.maxlength;
    return [label, input];
  }));
  act = () => send(Object.fromEntries(fields.map((f) => [f.name, $(`ask-${f.name}`).value.trim()])));
  opener = document.activeElement;
  $("ask").showModal();
}

export function begin(announce) {
  $("ask-cancel").addEventListener("click", () => $("ask").close());
  // The focus goes back to the button, or to the one that has taken its place.
  $("ask").addEventListener("close", () => {
    if (opener.hidden) opener.parentElement.querySelector("button:not([hidden])")?.focus();
  });
  $("explain-close").addEventListener("click", () => $("explain").close());
  $("ask").querySelector("form").addEventListener("submit", async (e) => {
    e.preventDefault();
    $("ask-do").disabled = true;
    $("ask-problem").textContent = "";
    try {
      await act();
      $("ask").close();
      announce(`done: ${$("ask-title").textContent}`);
    } catch (err) {
      $("ask-problem").textContent = err.message;
    } finally {
      $("ask-do").disabled = false;
    }
  });
}

export function block(bucket) {
  ask(`Block ${bucket}`, "Nothing of this quota is granted, on the whole fleet, until the time is over or somebody unblocks it.", "Block",
    [lasting, reason], (v) => post("/api/v1/quotas/block", {bucket, ...v}));
}

export function unblock(bucket) {
  ask(`Unblock ${bucket}`, "Requests get of this quota again, on the whole fleet.", "Unblock", [why],
    (v) => post("/api/v1/quotas/unblock", {bucket, ...v}));
}

export function force(breaker, state) {
  const text = state === "open"
    ? "Every request to this upstream is refused at once, on the whole fleet."
    : "Every request goes to this upstream, on the whole fleet, however many fail.";
  ask(`Force ${breaker} ${state}`, text, state === "open" ? "Open" : "Close",
    [lasting, reason], (v) => post(`/api/v1/breakers/${state === "open" ? "open" : "close"}`, {breaker, ...v}));
}

export function reset(breaker) {
  ask(`Reset ${breaker}`, "What was counted and what was forced is forgotten, on the whole fleet.", "Reset", [why],
    (v) => post("/api/v1/breakers/reset", {breaker, ...v}));
}

export function purge(environment = "", service = "") {
  ask("Purge a path", "Stored answers of this path, whatever their query, are dropped on the whole fleet.", "Purge", [
    {name: "environment", label: "Environment (empty: all)", value: environment, optional: true},
    {name: "service", label: "Service", value: service},
    {name: "path", label: "Path, as /v1/Companies(1)", value: ""},
    why,
  ], (v) => post("/api/v1/cache/purge", Object.fromEntries(Object.entries(v).filter(([, text]) => text !== ""))));
}

export async function explain(id) {
  $("explain-title").textContent = `Request ${id}`;
  $("explain-text").textContent = "asking…";
  $("explain").showModal();
  try {
    $("explain-text").textContent = JSON.stringify(await get(`/api/v1/requests/${encodeURIComponent(id)}`), null, 2);
  } catch (err) {
    $("explain-text").textContent = err.message;
  }
}
