// Cards as the server renders them.

import { request } from "./request.js";

/** Fetches a list of cards, which is not yet on the page. Throws an error for people. */
export async function fetchList(address) {
  const response = await request(address);
  if (response.status === 401) location.reload();
  const page = parsePage(await response.text());
  if (!response.ok) throw new Error((page.querySelector("main p") ?? page.body).textContent.trim());
  return page.querySelector("ol");
}

const parsePage = (html) => new DOMParser().parseFromString(html, "text/html");

export const parseList = (html) => parsePage(html).querySelector("ol");

/** An address with this page's filters and further parameters. */
export function addressWith(path, more) {
  const parameters = new URLSearchParams(location.search);
  parameters.delete("after");
  for (const [name, value] of Object.entries(more)) parameters.set(name, value);
  return `${path}?${parameters}`;
}
