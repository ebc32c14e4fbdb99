// Changes, sent to the server. Every page shows the token without which it takes none.

import { ask } from "./ask.js";

const token = document.querySelector("meta[name=csrf]").content;
const AT_ONCE = 50;

/** Asks for a change; answers with what became of it. Throws when it cannot be made, in words. */
export async function once(what, body) {
  const answer = await ask(what + location.search, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) {
    let said = text;
    try { said = JSON.parse(text).said; } catch { /* plain words */ }
    throw new Error(said || "That did not work.");
  }
  const done = JSON.parse(text);
  count(done.failed);
  return done;
}

/**
 * Does it for many, a few at a time; answers {done, labels, said, problems, left}. asked: makes a request's body of some of the items.
 * each: called with every part's answer. left: items of which nothing is known, as it failed on the way. Throws when it failed at once.
 */
export async function post(what, items, asked, each = () => {}) {
  const all = { done: [], labels: [], problems: [], said: "", left: [] };
  for (let from = 0; from < items.length; from += AT_ONCE) {
    let part;
    try {
      part = await once(what, asked(items.slice(from, from + AT_ONCE)));
    } catch (error) {
      if (!from) throw error;
      all.problems.push(error.message);
      all.left = items.slice(from);
      break;
    }
    each(part);
    for (const name of ["done", "labels", "problems"]) all[name].push(...part[name]);
    all.said = all.done.length > 1 ? `${all.done.length} photos are ${part.outcome}` : part.said || all.said;
  }
  return all;
}

/** How many photos failed, in the page's head. */
function count(failed) {
  const badge = document.getElementById("failed-count");
  badge.textContent = failed >= 1000 ? "999+" : failed;
  badge.hidden = !failed;
}
