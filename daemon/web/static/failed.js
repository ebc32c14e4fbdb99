// Failed photos: another try, or away with them.

import { fetched } from "./cards.js";
import { onKeys } from "./keys.js";
import { endless } from "./older.js";
import { once } from "./post.js";
import { problem, toast } from "./toast.js";

const list = document.getElementById("failures");
const sure = document.getElementById("sure");
const all = document.getElementById("retry-all");

const rows = () => [...list.children];
const first = (row) => row.querySelector("button");
const current = () => document.activeElement?.closest(".failure");

function step(by) {
  const some = rows();
  const at = current() ? some.indexOf(current()) + by : 0;
  const row = some[Math.min(Math.max(at, 0), some.length - 1)];
  if (row) first(row).focus();
}

async function drop(ids) {
  const gone = rows().filter((row) => ids.includes(Number(row.dataset.id)));
  const next = gone.length && gone.includes(current()) ? gone.at(-1).nextElementSibling || gone[0].previousElementSibling : null;
  for (const row of gone) row.remove();
  if (next?.isConnected) first(next).focus();
  if (!rows().length) await more();
  if (!rows().length) {
    document.getElementById("empty").hidden = false;
    if (all) all.hidden = true;
  }
}

async function change(row, what) {
  row.setAttribute("aria-busy", "true");
  await told(() => once(what, { ids: [Number(row.dataset.id)] }));
  row.removeAttribute("aria-busy");
}

async function told(deed) {
  try {
    const answer = await deed();
    await drop(answer.done);
    if (answer.problems.length) problem("That could not be done:", answer.problems);
    else if (answer.said) toast(answer.said);
  } catch (error) {
    problem(error.message);
  }
}

function ask(row) {
  document.getElementById("sure-name").textContent = row.dataset.name;
  sure.returnValue = "";
  sure.onclose = () => sure.returnValue === "delete" && change(row, "/delete");
  sure.showModal();
}

list.addEventListener("click", (event) => {
  const row = event.target.closest(".failure");
  const deed = event.target.closest("button")?.dataset.do;
  if (deed === "retry") change(row, "/retry");
  if (deed === "delete") ask(row);
});
all?.addEventListener("click", async () => {
  all.disabled = true;
  await told(() => once("/retry", { ids: null }));
  all.disabled = false;
});

onKeys(["j", "ArrowDown"], () => step(1));
onKeys(["k", "ArrowUp"], () => step(-1));
onKeys(["r"], () => { if (current()) change(current(), "/retry"); });
onKeys(["Delete"], () => { if (current()) ask(current()); });
const more = endless(list, (after) => fetched(`/failures?after=${after}`), () => {});
