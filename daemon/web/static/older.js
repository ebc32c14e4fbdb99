// More photos, as one comes near the end of those that are there.

import { problem } from "./toast.js";

/**
 * Goes on after the last of a list. fetchAfter: gets the list that follows a key. adopt: called with what came.
 * Answers with a function that fetches more at once, and answers whether any came.
 */
export function endless(list, fetchAfter, adopt) {
  const link = document.getElementById("older");
  let pending = null;
  const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), { rootMargin: "1400px" });

  function more() {
    pending ??= fetchMore().finally(() => { pending = null; });
    return pending;
  }

  async function fetchMore() {
    if (link.hidden) return false;
    let some;
    try {
      const fresh = await fetchAfter(list.lastElementChild?.dataset.key ?? "");
      some = [...fresh.children].filter((one) => !document.getElementById(one.id));
      link.hidden = fresh.dataset.more !== "1";
      list.append(...some);
      adopt(some);
    } catch (error) {
      problem(`No more photos could be shown: ${error.message}`);
      return false; // the link is there to try again
    }
    // It is told of changes alone, and the end may still be in sight.
    watch.unobserve(link);
    watch.observe(link);
    return some.length > 0;
  }

  link.addEventListener("click", (event) => {
    event.preventDefault();
    more();
  });
  watch.observe(link);
  return more;
}
