// The cards on the page: the current one, and the selected ones.

const list = document.getElementById("cards");
let currentCard = null;
let anchor = null; // where a range begins
let selectedBefore = new Set(); // the selection before the range

export const cards = () => [...list.children];
export const current = () => (currentCard?.isConnected ? currentCard : list.firstElementChild);
export const selected = () => cards().filter((card) => card.classList.contains("selected"));
export const idOf = (card) => Number(card.dataset.id);
export const find = (id) => document.getElementById(`photo-${id}`);
const link = (card) => card.querySelector(".card-link");
const checkbox = (card) => card.querySelector("input");

let notify = () => {};
/** Sets the function to call with the selected cards after each change of the selection. */
export function onSelect(call) {
  notify = call;
}

function select(card, on) {
  card.classList.toggle("selected", on);
  checkbox(card).checked = on;
}

function selectionChanged() {
  const now = selected();
  list.classList.toggle("selecting", now.length > 0);
  notify(now);
}

/** Prepares new cards: Tab reaches only the current one, of perhaps thousands. */
export function adopt(fresh) {
  for (const card of fresh) {
    link(card).tabIndex = -1;
    checkbox(card).tabIndex = -1;
    checkbox(card).checked = false;
  }
  if (!currentCard?.isConnected && list.firstElementChild) setCurrent(list.firstElementChild);
}

function setCurrent(card) {
  if (currentCard && currentCard !== card) {
    currentCard.classList.remove("current");
    link(currentCard).tabIndex = checkbox(currentCard).tabIndex = -1;
  }
  currentCard = card;
  card.classList.add("current");
  link(card).tabIndex = checkbox(card).tabIndex = 0;
}

export function go(card) {
  if (!card) return;
  setCurrent(card);
  link(card).focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

const isInView = (card) => {
  const { top, bottom } = card.getBoundingClientRect();
  return bottom > 40 && top < innerHeight - 40;
};

/**
 * The card with the focus. Without one, focuses the first card in view and returns null: keys change focused cards only.
 */
export function focusedCard() {
  const card = document.activeElement?.closest(".card");
  if (card) return card;
  go(cards().find(isInView));
  return null;
}

/** Moves the focus by a number of cards. */
export function step(by) {
  const card = focusedCard();
  if (!card) return;
  anchor = null;
  const all = cards();
  go(all[Math.min(Math.max(all.indexOf(card) + by, 0), all.length - 1)]);
}

export function columns() {
  return getComputedStyle(list).gridTemplateColumns.split(" ").length;
}

export function toggle() {
  const card = focusedCard();
  if (!card) return;
  select(card, !card.classList.contains("selected"));
  startRange(card);
  selectionChanged();
}

function startRange(card) {
  anchor = card;
  selectedBefore = new Set(selected());
}

/** Selects all cards from the last selected one to this one. */
export function selectTo(card) {
  if (!anchor?.isConnected) startRange(current());
  const all = cards();
  const [first, last] = [all.indexOf(anchor), all.indexOf(card)].sort((a, b) => a - b);
  all.forEach((other, index) => select(other, (index >= first && index <= last) || selectedBefore.has(other)));
  selectionChanged();
}

/** Moves the focus by a number of cards, and selects the cards up to there. */
export function extend(by) {
  const all = cards();
  const from = focusedCard();
  const card = from && all[all.indexOf(from) + by];
  if (!card) return;
  selectTo(card);
  go(card);
}

export function selectAll() {
  for (const card of cards()) select(card, true);
  selectionChanged();
}

export function clear() {
  for (const card of selected()) select(card, false);
  anchor = null;
  selectedBefore.clear();
  selectionChanged();
}

/** Updates cards on the page from a list of new ones. */
export function update(fresh) {
  for (const card of [...fresh.children]) {
    const old = document.getElementById(card.id);
    if (!old) continue;
    const hadFocus = old.contains(document.activeElement);
    const wasSelected = old.classList.contains("selected");
    // The same element with the same image, so that references stay valid and nothing flickers.
    card.querySelector(".frame").replaceWith(old.querySelector(".frame"));
    old.dataset.label = card.dataset.label;
    old.toggleAttribute("data-by-hand", card.hasAttribute("data-by-hand"));
    link(old).replaceChildren(...link(card).childNodes);
    if (hadFocus) link(old).focus({ preventScroll: true });
    select(old, wasSelected);
    old.removeAttribute("aria-busy");
  }
}

list.addEventListener("focusin", (event) => {
  const card = event.target.closest(".card");
  if (card) setCurrent(card);
});

list.addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  if (!card) return;
  const onCheckbox = event.target === checkbox(card);
  if (event.shiftKey && !event.ctrlKey && !event.metaKey && (onCheckbox || event.target.closest(".card-link"))) {
    if (!onCheckbox) event.preventDefault();
    selectTo(card);
    go(card);
  } else if (onCheckbox) {
    // The click itself has set the checkbox already.
    card.classList.toggle("selected", checkbox(card).checked);
    startRange(card);
    selectionChanged();
  }
});

adopt(cards());
