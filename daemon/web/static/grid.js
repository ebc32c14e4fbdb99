// The cards on the page: which one is the current one, and which are selected.

const list = document.getElementById("cards");
let now = null;
let anchor = null;
let before = new Set();

export const cards = () => [...list.children];
export const current = () => (now?.isConnected ? now : list.firstElementChild);
export const selected = () => cards().filter((card) => card.classList.contains("picked"));
export const idOf = (card) => Number(card.dataset.id);
export const find = (id) => document.getElementById(`photo-${id}`);
const look = (card) => card.querySelector(".look");
const box = (card) => card.querySelector("input");

let changed = () => {};
/** Calls this whenever other cards are selected. */
export function onSelect(call) {
  changed = call;
}

function pick(card, on) {
  card.classList.toggle("picked", on);
  box(card).checked = on;
}

function tellSelection() {
  const some = selected();
  list.classList.toggle("picking", some.length > 0);
  changed(some);
}

/** Makes cards reachable: by Tab only the current one, of perhaps thousands. */
export function adopt(some) {
  for (const card of some) {
    look(card).tabIndex = -1;
    box(card).tabIndex = -1;
    box(card).checked = false;
  }
  if (!now?.isConnected && list.firstElementChild) mark(list.firstElementChild);
}

function mark(card) {
  if (now && now !== card) {
    now.classList.remove("now");
    look(now).tabIndex = box(now).tabIndex = -1;
  }
  now = card;
  card.classList.add("now");
  look(card).tabIndex = box(card).tabIndex = 0;
}

export function go(card) {
  if (!card) return;
  mark(card);
  look(card).focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

const isInView = (card) => {
  const { top, bottom } = card.getBoundingClientRect();
  return bottom > 40 && top < innerHeight - 40;
};

/** The card that has the focus. Without one the first in view gets it, and none is answered: no key changes what is not marked. */
export function pointed() {
  const card = document.activeElement?.closest(".card");
  if (card) return card;
  go(cards().find(isInView));
  return null;
}

/** Goes so many cards on. */
export function step(by) {
  const card = pointed();
  if (!card) return;
  anchor = null;
  const all = cards();
  go(all[Math.min(Math.max(all.indexOf(card) + by, 0), all.length - 1)]);
}

export function columns() {
  return getComputedStyle(list).gridTemplateColumns.split(" ").length;
}

export function toggle() {
  const card = pointed();
  if (!card) return;
  pick(card, !card.classList.contains("picked"));
  anchor = card;
  before = new Set(selected());
  tellSelection();
}

/** Selects all between the card that was selected last and this one. */
export function rangeTo(card) {
  if (!anchor?.isConnected) {
    anchor = current();
    before = new Set(selected());
  }
  const all = cards();
  const [from, to] = [all.indexOf(anchor), all.indexOf(card)].sort((a, b) => a - b);
  all.forEach((one, at) => pick(one, (at >= from && at <= to) || before.has(one)));
  tellSelection();
}

export function stretch(by) {
  const all = cards();
  const from = pointed();
  const card = from && all[all.indexOf(from) + by];
  if (!card) return;
  rangeTo(card);
  go(card);
}

export function selectAll() {
  for (const card of cards()) pick(card, true);
  tellSelection();
}

export function clear() {
  for (const card of selected()) pick(card, false);
  anchor = null;
  before.clear();
  tellSelection();
}

/** Shows cards as they are now in place of those that are there. */
export function renew(fresh) {
  for (const card of [...fresh.children]) {
    const old = document.getElementById(card.id);
    if (!old) continue;
    const was = { now: old === now, focused: old.contains(document.activeElement), picked: old.classList.contains("picked") };
    // The same element, so that nothing that points to it is lost, and with the picture that it has.
    card.querySelector(".frame").replaceWith(old.querySelector(".frame"));
    old.dataset.label = card.dataset.label;
    old.toggleAttribute("data-by-hand", card.hasAttribute("data-by-hand"));
    old.querySelector(".look").replaceChildren(...card.querySelector(".look").childNodes);
    if (was.focused) look(old).focus({ preventScroll: true });
    pick(old, was.picked);
    old.removeAttribute("aria-busy");
  }
}

list.addEventListener("focusin", (event) => {
  const card = event.target.closest(".card");
  if (card) mark(card);
});

list.addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  if (!card) return;
  const checkbox = event.target === box(card);
  if (event.shiftKey && !event.ctrlKey && !event.metaKey && (checkbox || event.target.closest(".look"))) {
    if (!checkbox) event.preventDefault();
    rangeTo(card);
    go(card);
  } else if (checkbox) {
    // Its own click has set the box already.
    card.classList.toggle("picked", box(card).checked);
    anchor = card;
    before = new Set(selected());
    tellSelection();
  }
});

adopt(cards());
