// One photo, large.

import { isBusy, label, leave, saveToast, showSavedToast, undo, withdraw } from "./changes.js";
import { onKeys } from "./keys.js";
import { explainMissing, reason } from "./missing.js";
import { problem, toast } from "./toast.js";

const id = Number(document.getElementById("photo").dataset.id);
const element = (name) => document.getElementById(name);
sessionStorage.setItem("last-photo", id);

// Replaces this page in the history, so that Back leads to the gallery after however many photos.
function turn(name) {
  const link = element(name);
  if (link) leave(() => location.replace(link.href));
  else toast(name === "next" ? "This is the last photo." : "This is the first photo.");
}

for (const name of ["previous", "next"]) {
  element(name)?.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    turn(name);
  });
}

const buttons = document.querySelector(".actions");

// One change only, as this page is left afterwards: the next key is meant for the next photo.
async function change(send, then) {
  if (!buttons || isBusy() || buttons.ariaBusy === "true") return;
  buttons.ariaBusy = "true";
  const result = await send();
  if (result?.done.length) then(result);
  else buttons.ariaBusy = "false";
}

function labelPhoto(name) {
  change(() => label([id], name), (result) => {
    saveToast(result.message, true);
    if (element("next")) turn("next");
    else location.reload();
  });
}

async function undoLast() {
  if (isBusy()) return;
  const result = await undo(() => {});
  if (!result?.done.length) return;
  saveToast(result.message, false);
  location.replace(`/photo/${result.done[0]}${location.search}`);
}

function removeLabel() {
  change(() => withdraw(id), (result) => {
    saveToast(result.message, false);
    location.reload();
  });
}

// Back in the history, where the gallery is as it was left; or to a new gallery if the person came another way.
function back() {
  const before = window.navigation?.entries()[navigation.currentEntry.index - 1];
  leave(() => {
    if (before?.url && new URL(before.url).pathname === "/") history.back();
    else location.assign(element("back").href);
  });
}

element("back").addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  back();
});

const why = element("why");
let map = null;

function showMap(on) {
  map?.classList.toggle("shown", on);
  element("why-text").hidden = !on;
}

function explain() {
  if (!why) return;
  const on = why.getAttribute("aria-pressed") !== "true";
  why.setAttribute("aria-pressed", on);
  if (on && !map) {
    map = new Image();
    map.className = "map";
    map.alt = "The areas where the model saw food, and those where it saw something else";
    map.addEventListener("load", () => showMap(why.getAttribute("aria-pressed") === "true"));
    map.addEventListener("error", showNoMap);
    map.src = why.dataset.map;
    element("picture")?.after(map);
  } else {
    showMap(on);
  }
}

async function showNoMap() {
  why.setAttribute("aria-pressed", "false");
  map.remove();
  map = null;
  problem("The prediction cannot be explained:", [await reason(why.dataset.map)]);
}

const actions = { food: () => labelPhoto("food"), non_food: () => labelPhoto("non_food"), withdraw: removeLabel };
buttons?.addEventListener("click", (event) => actions[event.target.closest("button")?.dataset.action]?.());
why?.addEventListener("click", explain);

onKeys(["f"], actions.food);
onKeys(["n"], actions.non_food);
onKeys(["u"], undoLast);
onKeys(["w"], explain);
onKeys(["s", "j", "ArrowRight"], () => turn("next"));
onKeys(["k", "ArrowLeft"], () => turn("previous"));
onKeys(["Escape"], back);

showSavedToast(undoLast);
explainMissing(document.querySelector(".stage"));
const nextImage = element("next")?.dataset.image;
if (nextImage) new Image().src = nextImage; // loads it ahead
