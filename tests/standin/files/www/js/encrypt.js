"use strict";
// RSA with PKCS#1 v1.5 padding, as sign-in wants it. Written for the stand-in; not RStudio's own.

function modularPower(base, exponent, modulus) {
  let result = 1n;
  base %= modulus;
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % modulus;
    base = (base * base) % modulus;
  }
  return result;
}

function encrypt(text, exponent, modulus) {
  const size = Math.ceil(modulus.length / 2);
  const message = new TextEncoder().encode(text);
  const padding = new Uint8Array(size - message.length - 3);
  if (padding.length < 8) throw new Error("too long");
  for (let at = 0; at < padding.length; ) {
    const one = crypto.getRandomValues(new Uint8Array(1))[0];
    if (one !== 0) padding[at++] = one;
  }
  const block = [0, 2, ...padding, 0, ...message];
  const hex = block.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const answer = modularPower(BigInt("0x" + hex), BigInt("0x" + exponent), BigInt("0x" + modulus))
    .toString(16)
    .padStart(size * 2, "0");
  return btoa(answer.replace(/../g, (pair) => String.fromCharCode(parseInt(pair, 16))));
}

function showError(text) {
  document.getElementById("errortext").textContent = text;
  document.getElementById("errorpanel").style.display = "block";
}

async function signIn() {
  const user = document.getElementById("username").value;
  const password = document.getElementById("password").value;
  if (!user || !password) return showError("You must enter a username and a password");
  const answer = await fetch("auth-public-key");
  if (!answer.ok) return showError("Error: " + answer.statusText);
  const [exponent, modulus] = (await answer.text()).split(":");
  document.getElementById("package").value = encrypt(user + "\n" + password, exponent, modulus);
  const stays = document.getElementById("staySignedIn").checked;
  document.getElementById("persist").value = stays ? "1" : "0";
  document.getElementById("clientPath").value = window.location.pathname;
  document.getElementById("realform").submit();
}

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("signin");
  if (form.dataset.encrypts !== "1") return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    signIn().catch((error) => showError("Error: " + error));
  });
});
