// More photos, as one comes near the end of those that are there.

/** Goes on after the last of a list. fetchAfter: gets the list that follows a key. adopt: called with what came. */
export function endless(list, fetchAfter, adopt) {
  const link = document.getElementById("older");
  let busy = false;
  const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), { rootMargin: "1400px" });

  async function more() {
    const last = list.lastElementChild;
    if (busy || link.hidden || !last) return;
    busy = true;
    try {
      const fresh = await fetchAfter(last.dataset.key);
      const some = [...fresh.children].filter((one) => !document.getElementById(one.id));
      link.hidden = fresh.dataset.more !== "1";
      list.append(...some);
      adopt(some);
    } catch {
      busy = false;
      return; // the link is there to try again
    }
    busy = false;
    // It is told of changes alone, and the end may still be in sight.
    watch.unobserve(link);
    watch.observe(link);
  }

  link.addEventListener("click", (event) => {
    event.preventDefault();
    more();
  });
  watch.observe(link);
}
