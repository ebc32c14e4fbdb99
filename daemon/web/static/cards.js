// Cards as the server renders them.

import { ask } from "./ask.js";

/** The list of cards in an answer, not yet on the page. Throws when there is none. */
export async function fetched(address) {
  const answer = await ask(address);
  if (answer.status === 401) location.reload();
  const page = pageOf(await answer.text());
  if (!answer.ok) throw new Error((page.querySelector("main p") ?? page.body).textContent.trim());
  return page.querySelector("ol");
}

const pageOf = (html) => new DOMParser().parseFromString(html, "text/html");

export const parsed = (html) => pageOf(html).querySelector("ol");

/** An address with this page's filters and more. */
export function asking(path, more) {
  const words = new URLSearchParams(location.search);
  words.delete("after");
  for (const [name, value] of Object.entries(more)) words.set(name, value);
  return `${path}?${words}`;
}
