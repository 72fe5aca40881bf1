"use strict";
// Takes the session over, shows what R writes, and sends what is typed. Not RStudio's own.

let client = "";
let last = -1;

async function call(path, params) {
  const method = path.split("/").pop();
  const token = document.querySelector("meta[name=rs-csrf-token]").content;
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-RS-CSRF-Token": token },
    body: JSON.stringify({ method, params, clientId: client, clientVersion: "" }),
  });
  const content = await answer.json();
  if (content.error) throw new Error(content.error.message + " (" + content.error.code + ")");
  return content.result;
}

function show(text) {
  document.getElementById("output").textContent += text;
}

async function follow() {
  for (;;) {
    for (const event of await call("events/get_events", [last])) {
      last = event.id;
      if (event.type === "console_output") show(event.data.text);
      if (event.type === "console_input") show("> " + event.data.text + "\n");
      if (event.type === "quit") return show("\nThe R session has ended.\n");
    }
  }
}

async function start() {
  const session = await call("rpc/client_init", [document.baseURI]);
  client = session.clientId;
  document.getElementById("rversion").textContent = "R " + session.rVersionsInfo.r_version;
  document.getElementById("plots").textContent = session.plots_problem;
  await follow();
}

document.addEventListener("DOMContentLoaded", () => {
  const failed = (error) => show("\nCannot connect to R session: " + error.message + "\n");
  const input = document.getElementById("input");
  document.getElementById("console").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = input.value;
    input.value = "";
    call("rpc/console_input", [code, "", 0]).catch(failed);
  });
  start().catch(failed);
});
