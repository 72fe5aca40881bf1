// While no seat is free, the page asks again by itself; not while somebody types.
"use strict";
(function () {
  const form = document.querySelector("form[data-again]");
  if (!form) return;
  let typed = false;
  form.addEventListener("input", () => { typed = true; });
  setInterval(() => {
    if (!typed && document.visibilityState === "visible") form.requestSubmit();
  }, 1000 * Number(form.dataset.again));
})();
