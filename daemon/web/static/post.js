// Changes, sent to the server with the CSRF token of this page.

import { request } from "./request.js";

const token = document.querySelector("meta[name=csrf]").content;
const PER_REQUEST = 50;

/** Sends one change and returns its result. Throws an error for people if it cannot be made. */
export async function postOnce(path, body) {
  const response = await request(path + location.search, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) {
    let message = text;
    try { message = JSON.parse(text).message; } catch { /* plain text */ }
    throw new Error(message || "That did not work.");
  }
  const result = JSON.parse(text);
  showFailedCount(result.failed);
  return result;
}

/**
 * Sends a change of many items, some at a time. Returns {done, labels, message, problems, left}.
 * body: makes a request's body from some of the items. onPart: called with the result of each request.
 * left: items whose result is unknown, because a later request failed. Throws if the first request fails.
 */
export async function post(path, items, body, onPart = () => {}) {
  const all = { done: [], labels: [], problems: [], message: "", left: [] };
  for (let from = 0; from < items.length; from += PER_REQUEST) {
    let part;
    try {
      part = await postOnce(path, body(items.slice(from, from + PER_REQUEST)));
    } catch (error) {
      if (!from) throw error;
      all.problems.push(error.message);
      all.left = items.slice(from);
      break;
    }
    onPart(part);
    for (const name of ["done", "labels", "problems"]) all[name].push(...part[name]);
    all.message = all.done.length > 1 ? `${all.done.length} photos are ${part.outcome}` : part.message || all.message;
  }
  return all;
}

/** Updates the number of failed photos in the page's header. */
function showFailedCount(failed) {
  const badge = document.getElementById("failed-count");
  badge.textContent = failed >= 1000 ? "999+" : failed;
  badge.hidden = !failed;
}
