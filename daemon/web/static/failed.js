// Failed photos: try again, or delete.

import { fetchList } from "./cards.js";
import { onKeys } from "./keys.js";
import { pageOnScroll } from "./paging.js";
import { postOnce } from "./post.js";
import { problem, toast } from "./toast.js";

const list = document.getElementById("failures");
const dialog = document.getElementById("confirm");
const retryAll = document.getElementById("retry-all");

const rows = () => [...list.children];
const firstButton = (row) => row.querySelector("button");
const current = () => document.activeElement?.closest(".failure");

function step(by) {
  const all = rows();
  const index = current() ? all.indexOf(current()) + by : 0;
  const row = all[Math.min(Math.max(index, 0), all.length - 1)];
  if (row) firstButton(row).focus();
}

async function remove(ids) {
  const removed = rows().filter((row) => ids.includes(Number(row.dataset.id)));
  const hadFocus = removed.length && removed.includes(current());
  const next = hadFocus ? removed.at(-1).nextElementSibling || removed[0].previousElementSibling : null;
  for (const row of removed) row.remove();
  if (next?.isConnected) firstButton(next).focus();
  if (!rows().length) await fetchMore();
  if (!rows().length) {
    document.getElementById("empty").hidden = false;
    if (retryAll) retryAll.hidden = true;
  }
}

async function change(row, path) {
  row.setAttribute("aria-busy", "true");
  await send(path, [Number(row.dataset.id)]);
  row.removeAttribute("aria-busy");
}

/** ids: null for all failed photos. */
async function send(path, ids) {
  try {
    const result = await postOnce(path, { ids });
    await remove(result.done);
    if (result.problems.length) problem("This was not changed:", result.problems);
    else if (result.message) toast(result.message);
  } catch (error) {
    problem(error.message);
  }
}

function confirmDelete(row) {
  document.getElementById("confirm-name").textContent = row.dataset.name;
  dialog.returnValue = "";
  dialog.onclose = () => dialog.returnValue === "delete" && change(row, "/delete");
  dialog.showModal();
}

list.addEventListener("click", (event) => {
  const row = event.target.closest(".failure");
  const action = event.target.closest("button")?.dataset.action;
  if (action === "retry") change(row, "/retry");
  if (action === "delete") confirmDelete(row);
});
retryAll?.addEventListener("click", async () => {
  retryAll.disabled = true;
  await send("/retry", null);
  retryAll.disabled = false;
});

onKeys(["j", "ArrowDown"], () => step(1));
onKeys(["k", "ArrowUp"], () => step(-1));
onKeys(["r"], () => { if (current()) change(current(), "/retry"); });
onKeys(["Delete"], () => { if (current()) confirmDelete(current()); });
const fetchMore = pageOnScroll(list, (after) => fetchList(`/failures?after=${after}`), () => {});
