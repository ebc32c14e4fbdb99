// The gallery: keys, labels, selection.

import { addressWith, fetchList, parseList } from "./cards.js";
import { changedIds, isBusy, label, leave, showSavedToast, undo } from "./changes.js";
import * as grid from "./grid.js";
import { onKeys } from "./keys.js";
import "./live.js";
import { explainMissing } from "./missing.js";
import { pageOnScroll } from "./paging.js";
import { toast } from "./toast.js";

const MOST_PAGES = 30;
const bulk = document.getElementById("bulk");
const list = document.getElementById("cards");
const showPart = (part) => grid.update(parseList(part.cards));

async function labelCards(name) {
  const selected = grid.selected();
  const cards = selected.length ? selected : [grid.focusedCard()].filter(Boolean);
  if (!cards.length) return;
  for (const card of cards) card.setAttribute("aria-busy", "true");
  if (!selected.length) grid.step(1);
  const result = await label(cards.map(grid.idOf), name, showPart);
  for (const card of cards) card.removeAttribute("aria-busy");
  if (!result) return;
  if (selected.length && !result.problems.length) grid.clear();
  if (result.done.length && !result.problems.length) toast(result.message, undoLast);
}

async function undoLast() {
  const result = await undo(showPart);
  if (!result?.done.length) return;
  const card = grid.find(result.done[0]);
  if (card && result.done.length === 1) grid.go(card);
  if (!result.problems.length) toast(result.message);
}

const actions = {
  food: () => labelCards("food"),
  non_food: () => labelCards("non_food"),
  all: grid.selectAll,
  clear: grid.clear,
};
bulk.addEventListener("click", (event) => actions[event.target.closest("button")?.dataset.action]?.());
grid.onSelect((selected) => {
  bulk.hidden = !selected.length;
  document.getElementById("bulk-count").textContent = `${selected.length} selected`;
});

onKeys(["f"], actions.food);
onKeys(["n"], actions.non_food);
onKeys(["u"], () => { undoLast(); });
onKeys(["s", "j", "ArrowRight"], () => grid.step(1));
onKeys(["k", "ArrowLeft"], () => grid.step(-1));
onKeys(["ArrowDown"], () => grid.step(grid.columns()));
onKeys(["ArrowUp"], () => grid.step(-grid.columns()));
onKeys(["Shift+ArrowRight"], () => grid.extend(1));
onKeys(["Shift+ArrowLeft"], () => grid.extend(-1));
onKeys(["Shift+ArrowDown"], () => grid.extend(grid.columns()));
onKeys(["Shift+ArrowUp"], () => grid.extend(-grid.columns()));
onKeys(["x"], () => grid.toggle());
onKeys(["a"], grid.selectAll);
onKeys(["Escape"], () => grid.clear());
onKeys(["Enter"], (event) => {
  if (event.target.closest("a, button, summary, input")) return false;
  grid.focusedCard()?.querySelector(".card-link").click();
});

list.addEventListener("click", (event) => {
  const link = event.target.closest(".card-link");
  if (!link || !isBusy() || event.defaultPrevented || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  leave(() => location.assign(link.href));
});

explainMissing(list);
const fetchMore = pageOnScroll(list, (after) => fetchList(addressWith("/cards", { after })), grid.adopt);

// Back from a photo: goes to its card, and updates the cards that were changed. Some browsers show the page as it was
// first loaded.
addEventListener("pageshow", async (event) => {
  showSavedToast(undoLast);
  const last = sessionStorage.getItem("last-photo");
  sessionStorage.removeItem("last-photo");
  for (let page = 0; last && page < MOST_PAGES && !grid.find(last) && (await fetchMore()); page += 1);
  grid.go(grid.find(last));
  if (event.persisted && changedIds().length) {
    grid.update(await fetchList(addressWith("/cards", { ids: changedIds().join(",") })));
  }
});
