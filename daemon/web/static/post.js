// Changes, sent to the server. Every page shows the token without which it takes none.

const token = document.querySelector("meta[name=csrf]").content;
const AT_ONCE = 50;

async function once(what, body) {
  let answer;
  try {
    answer = await fetch(what + location.search, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error("foodsort review does not answer; is it still running?");
  }
  const text = await answer.text();
  if (!answer.ok) {
    let said = text;
    try { said = JSON.parse(text).said; } catch { /* plain words */ }
    throw new Error(said || "That did not work.");
  }
  return JSON.parse(text);
}

/**
 * Does it for photos, a few at a time; answers {done, said, problems, left}. `each` is called with every part's answer.
 * left: those of which nothing is known, as it failed on the way. Throws when it failed at once.
 */
export async function post(what, ids, more = {}, each = () => {}) {
  const all = { done: [], problems: [], said: "", left: [] };
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    let part;
    try {
      part = await once(what, { ...more, ids: ids.slice(from, from + AT_ONCE) });
    } catch (error) {
      if (!from) throw error;
      all.problems.push(error.message);
      all.left = ids.slice(from);
      break;
    }
    each(part);
    all.done.push(...part.done);
    all.problems.push(...part.problems);
    all.said = all.done.length > 1 ? `${all.done.length} photos are ${part.outcome}` : part.said || all.said;
  }
  return all;
}

export function postAll(what) {
  return once(what, { ids: null });
}
