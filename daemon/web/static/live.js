// Photos that come while one looks: they appear at the top, or wait behind a button where that would move what one looks at.

import { asking, fetched } from "./cards.js";
import { adopt, cards, current, find, selected } from "./grid.js";
import { announce, problem } from "./toast.js";

const EVERY_MS = 2000;
const MOST_SHOWN = 600;
const list = document.getElementById("cards");
const button = document.getElementById("arrivals");
let upto = Number(list.dataset.upto);
let waiting = [];
let timer = 0;
let failures = 0;

const several = (number) => `${number} new photo${number === 1 ? "" : "s"}`;

function isInTheWay() {
  const away = list.contains(document.activeElement) && current() !== list.firstElementChild;
  return scrollY > 160 || selected().length > 0 || away;
}

function show() {
  const some = waiting.filter((card) => !find(card.dataset.id)).reverse();
  waiting = [];
  button.hidden = true;
  if (!some.length) return;
  for (const card of some) card.classList.add("fresh");
  list.prepend(...some);
  adopt(some);
  document.getElementById("empty").hidden = true;
  // A page that is left open for days does not grow for ever; what is let go of comes again when one scrolls there.
  const over = cards().slice(MOST_SHOWN);
  if (over.length && scrollY < 160 && !selected().length) {
    for (const card of over) card.remove();
    document.getElementById("older").hidden = false;
  }
}

async function poll() {
  clearTimeout(timer);
  if (document.hidden) return;
  let soon = EVERY_MS;
  try {
    const fresh = await fetched(asking("/cards", { newer: upto }));
    failures = 0;
    const known = new Set(waiting.map((card) => card.id));
    const some = [...fresh.children].filter((card) => !find(card.dataset.id) && !known.has(card.id));
    upto = Math.max(upto, Number(fresh.dataset.upto));
    if (fresh.dataset.more === "1") soon = 0;
    waiting.push(...some);
    if (some.length) arrived(some.length);
  } catch {
    failures += 1;
    if (failures === 3) problem("foodsort review does not answer any more.");
    soon = Math.min(EVERY_MS * 2 ** failures, 30000);
  }
  timer = setTimeout(poll, soon);
}

function arrived(number) {
  if (isInTheWay()) {
    button.textContent = several(waiting.length);
    button.hidden = false;
  } else {
    show();
  }
  announce(several(number));
}

button.addEventListener("click", () => {
  scrollTo({ top: 0 });
  show();
  list.querySelector(".look")?.focus({ preventScroll: true });
});
// By certainty, a new photo may belong anywhere; and on a page that goes on from a photo none belongs to the top.
const words = new URLSearchParams(location.search);
if (words.get("order") !== "certainty" && !words.has("after")) {
  timer = setTimeout(poll, EVERY_MS);
  document.addEventListener("visibilitychange", poll);
}
