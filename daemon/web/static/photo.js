// One photo, large.

import { isBusy, label, later, leave, sayLater, undo, withdraw } from "./changes.js";
import { onKeys } from "./keys.js";
import { reason, sayWhatIsMissing } from "./missing.js";
import { problem, toast } from "./toast.js";

const photo = document.getElementById("photo");
const id = Number(photo.dataset.id);
const link = (name) => document.getElementById(name);
sessionStorage.setItem("last", id);

// In the place of this one, so that Back leads to the gallery from however many photos further on.
function turn(name) {
  const to = link(name);
  if (to) leave(() => location.replace(to.href));
  else toast(name === "next" ? "That was the last photo." : "This is the first photo.");
}

for (const name of ["before", "next"]) {
  link(name)?.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    turn(name);
  });
}

const deeds = document.querySelector(".deeds");

// One, and then this page gives way to another: the next key is meant for that.
async function change(deed, then) {
  if (!deeds || isBusy() || deeds.ariaBusy === "true") return;
  deeds.ariaBusy = "true";
  const answer = await deed();
  if (answer?.done.length) then(answer);
  else deeds.ariaBusy = "false";
}

function say(name) {
  change(() => label([id], name), (answer) => {
    later(answer.said, true);
    if (link("next")) turn("next");
    else location.reload();
  });
}

async function takeBack() {
  if (isBusy()) return;
  const answer = await undo(() => {});
  if (!answer?.done.length) return;
  later(answer.said, false);
  location.replace(`/photo/${answer.done[0]}${location.search}`);
}

function unlabel() {
  change(() => withdraw(id), (answer) => {
    later(answer.said, false);
    location.reload();
  });
}

// Back in the history, where the gallery is just as it was left; but for who came here in another way.
function back() {
  const before = window.navigation?.entries()[navigation.currentEntry.index - 1];
  leave(() => {
    if (before?.url && new URL(before.url).pathname === "/") history.back();
    else location.assign(link("back").href);
  });
}

link("back").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  back();
});

const why = link("why");
let map = null;

function showMap(on) {
  map?.classList.toggle("shown", on);
  link("why-words").hidden = !on;
}

function explain() {
  if (!why) return;
  const on = why.getAttribute("aria-pressed") !== "true";
  why.setAttribute("aria-pressed", on);
  if (on && !map) {
    map = new Image();
    map.className = "map";
    map.alt = "Where the model saw food, and where it saw something else";
    map.addEventListener("load", () => showMap(why.getAttribute("aria-pressed") === "true"));
    map.addEventListener("error", explainNot);
    map.src = why.dataset.map;
    link("picture")?.after(map);
  } else {
    showMap(on);
  }
}

async function explainNot() {
  why.setAttribute("aria-pressed", "false");
  map.remove();
  map = null;
  problem("It cannot be explained:", [await reason(why.dataset.map)]);
}

const does = { food: () => say("food"), non_food: () => say("non_food"), withdraw: unlabel };
deeds?.addEventListener("click", (event) => does[event.target.closest("button")?.dataset.do]?.());
why?.addEventListener("click", explain);

onKeys(["f"], does.food);
onKeys(["n"], does.non_food);
onKeys(["u"], takeBack);
onKeys(["w"], explain);
onKeys(["s", "j", "ArrowRight"], () => turn("next"));
onKeys(["k", "ArrowLeft"], () => turn("before"));
onKeys(["Escape"], back);

sayLater(takeBack);
sayWhatIsMissing(document.querySelector(".stage"));
const ahead = link("next")?.dataset.picture;
if (ahead) new Image().src = ahead;
