// Images that cannot be shown: the reason takes their place.

import { request } from "./request.js";

/** The reason why there is no image at an address. */
export function reason(address) {
  return request(address).then((response) => response.text(), (error) => error.message);
}

async function replace(image) {
  const text = document.createElement("span");
  text.className = "missing";
  text.textContent = await reason(image.src);
  image.replaceWith(text);
}

/** Replaces each image in an element that fails to load, now or later, by the reason. */
export function explainMissing(element) {
  // An error event does not bubble, but the capturing phase has it.
  element.addEventListener("error", (event) => event.target.matches("img:not(.map)") && replace(event.target), true);
  for (const image of element.querySelectorAll("img[src]")) {
    if (image.complete && !image.naturalWidth) replace(image);
  }
}
