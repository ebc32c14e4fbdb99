// New photos: they appear at the top, or behind a button if that would move the cards that the person looks at.

import { addressWith, fetchList } from "./cards.js";
import { adopt, cards, current, find, selected } from "./grid.js";
import { announce, problem } from "./toast.js";

const POLL_MS = 2000;
const LONGEST_POLL_MS = 30000;
const MOST_CARDS = 600;
const TOP_PX = 160;
const list = document.getElementById("cards");
const button = document.getElementById("arrivals");
let upto = Number(list.dataset.upto);
let waiting = [];
let timer = 0;
let failures = 0;

const count = (number) => `${number} new photo${number === 1 ? "" : "s"}`;

function wouldDisturb() {
  const onOtherCard = list.contains(document.activeElement) && current() !== list.firstElementChild;
  return scrollY > TOP_PX || selected().length > 0 || onOtherCard;
}

function show() {
  const fresh = waiting.filter((card) => !find(card.dataset.id)).reverse();
  waiting = [];
  button.hidden = true;
  if (!fresh.length) return;
  for (const card of fresh) card.classList.add("arriving");
  list.prepend(...fresh);
  adopt(fresh);
  document.getElementById("empty").hidden = true;
  // A page that stays open for days must not grow forever. Removed cards come back on scrolling down.
  const excess = cards().slice(MOST_CARDS);
  if (excess.length && scrollY < TOP_PX && !selected().length) {
    for (const card of excess) card.remove();
    document.getElementById("older").hidden = false;
  }
}

async function poll() {
  clearTimeout(timer);
  if (document.hidden) return;
  let pause = POLL_MS;
  try {
    const newer = await fetchList(addressWith("/cards", { newer: upto }));
    failures = 0;
    const known = new Set(waiting.map((card) => card.id));
    const fresh = [...newer.children].filter((card) => !find(card.dataset.id) && !known.has(card.id));
    upto = Math.max(upto, Number(newer.dataset.upto));
    if (newer.dataset.more === "1") pause = 0;
    waiting.push(...fresh);
    if (fresh.length) arrived(fresh.length);
  } catch {
    failures += 1;
    if (failures === 3) problem("foodsort review does not answer any more.");
    pause = Math.min(POLL_MS * 2 ** failures, LONGEST_POLL_MS);
  }
  timer = setTimeout(poll, pause);
}

function arrived(number) {
  if (wouldDisturb()) {
    button.textContent = count(waiting.length);
    button.hidden = false;
  } else {
    show();
  }
  announce(count(number));
}

button.addEventListener("click", () => {
  scrollTo({ top: 0 });
  show();
  list.querySelector(".card-link")?.focus({ preventScroll: true });
});
// Sorted by certainty, a new photo may belong anywhere. On a page that continues after a photo, none belongs at the top.
const parameters = new URLSearchParams(location.search);
if (parameters.get("order") !== "certainty" && !parameters.has("after")) {
  timer = setTimeout(poll, POLL_MS);
  document.addEventListener("visibilitychange", poll);
}
