// The dialog of the buttons, and the stream of changes. htmx puts the pieces into the page.
"use strict";
(function () {
  const ask = document.getElementById("ask");
  const live = document.getElementById("live");
  const lost = document.getElementById("lost");
  const table = document.getElementById("table");
  let opener = "";

  document.addEventListener("click", (event) => {
    const asks = event.target.closest("[data-asks]");
    if (asks) opener = asks.id;
    if (event.target.closest("[data-close]")) ask.close();
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === ask && ask.childElementCount && !ask.open) ask.showModal();
  });
  document.body.addEventListener("done", () => { if (ask.open) ask.close(); });
  document.body.addEventListener("htmx:responseError", (event) => {
    live.textContent = event.detail.xhr.responseText.slice(0, 200);
  });
  ask.addEventListener("close", () => {
    ask.replaceChildren();
    // The row may have been put in anew meanwhile, and its button with it
    const button = document.getElementById(opener);
    if (button) button.focus();
  });

  if (!table) return;
  const isLost = (yes) => { if (lost.hidden === yes) lost.hidden = !yes; };
  function listen() {
    const source = new EventSource(table.dataset.events);
    source.onopen = () => isLost(false);
    source.addEventListener("swap", (event) => {
      const x = table.scrollLeft;
      htmx.swap(live, event.data, { swapStyle: "none" });
      table.scrollLeft = x;
    });
    source.addEventListener("say", (event) => { live.textContent = event.data; });
    source.onerror = () => {
      isLost(true);
      if (source.readyState !== EventSource.CLOSED) return;
      // Not only the network: the server said no. A page that is signed out shows its form
      setTimeout(() => {
        fetch("/", { cache: "no-store" }).then(
          (answer) => answer.text().then((text) => {
            if (text.includes('action="/sign-in"')) location.reload(); else listen();
          }), listen);
      }, 2000);
    };
  }
  listen();
})();
