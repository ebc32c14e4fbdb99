// The gallery: keys, labels, selection.

import { asking, fetched, parsed } from "./cards.js";
import { isBusy, label, leave, sayLater, touched, undo } from "./changes.js";
import * as grid from "./grid.js";
import { onKeys } from "./keys.js";
import "./live.js";
import { sayWhatIsMissing } from "./missing.js";
import { endless } from "./older.js";
import { toast } from "./toast.js";

const bulk = document.getElementById("bulk");
const list = document.getElementById("cards");
const show = (part) => grid.renew(parsed(part.cards));

async function say(name) {
  const many = grid.selected();
  const some = many.length ? many : [grid.pointed()].filter(Boolean);
  if (!some.length) return;
  for (const card of some) card.setAttribute("aria-busy", "true");
  if (!many.length) grid.step(1);
  const answer = await label(some.map(grid.idOf), name, show);
  for (const card of some) card.removeAttribute("aria-busy");
  if (!answer) return;
  if (many.length && !answer.problems.length) grid.clear();
  if (answer.done.length && !answer.problems.length) toast(answer.said, takeBack);
}

async function takeBack() {
  const answer = await undo(show);
  if (!answer?.done.length) return;
  const card = grid.find(answer.done[0]);
  if (card && answer.done.length === 1) grid.go(card);
  if (!answer.problems.length) toast(answer.said);
}

const deeds = { food: () => say("food"), non_food: () => say("non_food"), all: grid.selectAll, clear: grid.clear };
bulk.addEventListener("click", (event) => deeds[event.target.closest("button")?.dataset.do]?.());
grid.onSelect((some) => {
  bulk.hidden = !some.length;
  document.getElementById("bulk-count").textContent = `${some.length} selected`;
});

onKeys(["f"], deeds.food);
onKeys(["n"], deeds.non_food);
onKeys(["u"], () => { takeBack(); });
onKeys(["s", "j", "ArrowRight"], () => grid.step(1));
onKeys(["k", "ArrowLeft"], () => grid.step(-1));
onKeys(["ArrowDown"], () => grid.step(grid.columns()));
onKeys(["ArrowUp"], () => grid.step(-grid.columns()));
onKeys(["Shift+ArrowRight"], () => grid.stretch(1));
onKeys(["Shift+ArrowLeft"], () => grid.stretch(-1));
onKeys(["Shift+ArrowDown"], () => grid.stretch(grid.columns()));
onKeys(["Shift+ArrowUp"], () => grid.stretch(-grid.columns()));
onKeys(["x"], () => grid.toggle());
onKeys(["a"], grid.selectAll);
onKeys(["Escape"], () => grid.clear());
onKeys(["Enter"], (event) => {
  if (event.target.closest("a, button, summary, input")) return false;
  grid.pointed()?.querySelector(".look").click();
});

list.addEventListener("click", (event) => {
  const look = event.target.closest(".look");
  if (!look || !isBusy() || event.defaultPrevented || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  leave(() => location.assign(look.href));
});

sayWhatIsMissing(list);
const more = endless(list, (after) => fetched(asking("/cards", { after })), grid.adopt);
const PAGES = 30;

// Back from a photo: where one was, and with what was changed there. Some browsers show the page as it was first loaded.
addEventListener("pageshow", async (event) => {
  sayLater(takeBack);
  const last = sessionStorage.getItem("last");
  sessionStorage.removeItem("last");
  for (let page = 0; last && page < PAGES && !grid.find(last) && (await more()); page += 1);
  grid.go(grid.find(last));
  if (event.persisted && touched().length) {
    grid.renew(await fetched(asking("/cards", { ids: touched().join(",") })));
  }
});
