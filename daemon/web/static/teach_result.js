// The result of a set.

import { onKeys } from "./keys.js";
import { explainMissing } from "./missing.js";

onKeys(["Enter"], (event) => {
  if (event.target.closest("a, button, summary, input")) return false;
  document.getElementById("more").click();
});
explainMissing(document.getElementById("answers"));
