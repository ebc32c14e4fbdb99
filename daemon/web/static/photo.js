// One photo, large.

import { label, later, sayLater, undo } from "./changes.js";
import { onKeys } from "./keys.js";
import { problem, toast } from "./toast.js";

const photo = document.getElementById("photo");
const id = Number(photo.dataset.id);
const link = (name) => document.getElementById(name);
sessionStorage.setItem("last", id);

// In the place of this one, so that Back leads to the gallery from however many photos further on.
function turn(name) {
  const to = link(name);
  if (to) location.replace(to.href);
  else toast(name === "next" ? "That was the last photo." : "This is the first photo.");
}

for (const name of ["before", "next"]) {
  link(name)?.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    turn(name);
  });
}

async function say(name) {
  if (photo.dataset.state === "failed") return;
  const answer = await label([id], name);
  if (!answer?.done.length) return;
  later(answer.said, true);
  if (link("next")) turn("next");
  else location.reload();
}

async function takeBack(_event, ids) {
  const answer = await undo(() => {}, ids);
  if (!answer?.done.length) return;
  later(answer.said, false);
  location.replace(`/photo/${answer.done[0]}${location.search}`);
}

// Back in the history, where the gallery is just as it was left; but for who came here in another way.
function back() {
  if (sessionStorage.getItem("from gallery")) history.back();
  else location.assign(link("back").href);
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
    link("picture").after(map);
  } else {
    showMap(on);
  }
}

async function explainNot() {
  why.setAttribute("aria-pressed", "false");
  map.remove();
  map = null;
  const answer = await fetch(why.dataset.map).catch(() => null);
  problem("It cannot be explained:", [answer ? await answer.text() : "foodsort review does not answer."]);
}

const deeds = { food: () => say("food"), non_food: () => say("non_food"), withdraw: () => takeBack(null, [id]) };
document.querySelector(".side").addEventListener("click", (event) => deeds[event.target.closest("button")?.dataset.do]?.());
why?.addEventListener("click", explain);

onKeys(["f"], deeds.food);
onKeys(["n"], deeds.non_food);
onKeys(["u"], () => { takeBack(); });
onKeys(["w"], explain);
onKeys(["s", "j", "ArrowRight"], () => turn("next"));
onKeys(["k", "ArrowLeft"], () => turn("before"));
onKeys(["Escape"], back);

sayLater(takeBack);
const ahead = link("next")?.dataset.picture;
if (ahead) new Image().src = ahead;
