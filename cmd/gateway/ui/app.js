import * as actions from "./actions.js";
import {Stream, token} from "./stream.js";
import {setText} from "./table.js";
import {View} from "./view.js";

const $ = (id) => document.getElementById(id);
const view = new View();

function state(text, stale = false) {
  setText($("status"), text);
  $("status").classList.toggle("stale", stale);
  $("overview").classList.toggle("stale-data", stale);
}

const stream = new Stream({
  state,
  hello: (h) => {
    document.body.classList.toggle("read-only", !h.may_change);
    $("readonly").hidden = h.may_change;
  },
  overview: (d) => {
    $("login").hidden = true;
    $("overview").hidden = false;
    $("forget").hidden = token.get() === "";
    if ($("status").textContent !== "live" && !$("status").dataset.said) state("live");
    $("overview").classList.remove("stale-data");
    view.show(d);
  },
  refused: (why) => {
    const tried = token.get() !== "";
    token.forget();
    login(tried ? why : "");
  },
});

function login(why) {
  state("not connected");
  $("overview").hidden = $("forget").hidden = true;
  $("login").hidden = false;
  $("refused").textContent = why;
  $("token").focus();
}

$("login").addEventListener("submit", (e) => {
  e.preventDefault();
  token.set($("token").value.trim());
  $("token").value = "";
  stream.start();
});

$("forget").addEventListener("click", () => {
  stream.stop();
  token.forget();
  login("");
});

// What was done is said for a moment, then that the page is live.
actions.begin((text) => {
  $("status").dataset.said = text;
  state(text);
  setTimeout(() => delete $("status").dataset.said, 4000);
});

stream.start();
