// The next page of a list, fetched as the person scrolls near its end.

import { problem } from "./toast.js";

/**
 * Extends a list on scrolling. fetchAfter: fetches the list after a key. adopt: called with the new items.
 * Returns a function that fetches the next page immediately, and returns whether it had items.
 */
export function pageOnScroll(list, fetchAfter, adopt) {
  const link = document.getElementById("older");
  let pending = null;
  const observer = new IntersectionObserver(
    (entries) => entries.some((entry) => entry.isIntersecting) && fetchMore(),
    { rootMargin: "1400px" },
  );

  function fetchMore() {
    pending ??= fetchPage().finally(() => { pending = null; });
    return pending;
  }

  async function fetchPage() {
    if (link.hidden) return false;
    let items;
    try {
      const page = await fetchAfter(list.lastElementChild?.dataset.key ?? "");
      items = [...page.children].filter((item) => !document.getElementById(item.id));
      link.hidden = page.dataset.more !== "1";
      list.append(...items);
      adopt(items);
    } catch (error) {
      problem(`More photos could not be loaded: ${error.message}`);
      return false; // the link is still there for another attempt
    }
    // The observer reports changes only, and the link may still be in view.
    observer.unobserve(link);
    observer.observe(link);
    return items.length > 0;
  }

  link.addEventListener("click", (event) => {
    event.preventDefault();
    fetchMore();
  });
  observer.observe(link);
  return fetchMore;
}
