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
  // While the dialog is open, all else is behind it: for the eye, and for a screen reader
  function tell(words) {
    const line = document.createElement("p");
    line.id = "told";
    line.className = "bad";
    line.setAttribute("role", "alert");
    line.textContent = words;
    if (ask.open) ask.querySelector(".tools").before(line); else document.querySelector("main").prepend(line);
  }
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    document.getElementById("told")?.remove();
    // The server would refuse it, but only when all of it has been sent
    const files = event.detail.elt.querySelector("input[type=file]");
    const bytes = [...(files?.files ?? [])].reduce((sum, one) => sum + one.size, 0);
    if (files && bytes > Number(files.dataset.most)) {
      event.preventDefault();
      tell("That is too much to send at once: " + Math.ceil(bytes / 1048576) + " MB.");
    }
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    tell(event.detail.xhr.responseText.slice(0, 200));
  });
  document.body.addEventListener("htmx:sendError", () => {
    tell("The server did not answer. Nothing was done, or it cannot be seen: try again.");
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
