// Cards as the server renders them.

/** The list of cards in an answer, not yet on the page. Throws when there is none. */
export async function fetched(address) {
  const answer = await fetch(address, { headers: { "X-Requested-With": "foodsort" } });
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error(await answer.text());
  return parsed(await answer.text());
}

export function parsed(html) {
  return new DOMParser().parseFromString(html, "text/html").querySelector("ol");
}

/** An address with this page's filters and more. */
export function asking(path, more) {
  const words = new URLSearchParams(location.search);
  words.delete("after");
  for (const [name, value] of Object.entries(more)) words.set(name, value);
  return `${path}?${words}`;
}
