"use strict";

// Sorting: a click or Enter on a heading sorts by its column, once more turns the order round.
// Numbers go by the first number of a cell; cells without a value stay at the end.
function key(row, column) {
  const cell = row.cells[column].cloneNode(true);
  cell.querySelectorAll(".links").forEach((links) => links.remove());
  const text = cell.textContent.trim();
  const found = text.replaceAll("−", "-").match(/[-+]?\d+(\.\d+)?(e[-+]?\d+)?/i);
  return { text, number: found ? Number(found[0]) : NaN };
}

function compare(numeric) {
  if (!numeric) return (a, b) => a.text.localeCompare(b.text, "en", { numeric: true });
  return (a, b) => a.number - b.number;
}

function sort(table, column, descending) {
  const body = table.tBodies[0];
  const numeric = table.tHead.rows[0].cells[column].classList.contains("number");
  const entries = [...body.rows].map((row) => ({ row, ...key(row, column) }));
  const empty = (entry) => (numeric ? Number.isNaN(entry.number) : entry.text === "–");
  const full = entries.filter((entry) => !empty(entry)).sort(compare(numeric));
  if (descending) full.reverse();
  for (const { row } of [...full, ...entries.filter(empty)]) body.append(row);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sort(table, column, descending);
    });
  });
}

// A box that is wider than the page says so. What is in a folded section has no width until then.
const boxes = document.querySelectorAll(".scroll");
function hint() {
  for (const box of boxes) box.classList.toggle("more", box.scrollWidth > box.clientWidth + 1);
}
window.addEventListener("resize", hint);
document.addEventListener("toggle", hint, true);
hint();

// A link to a folded section opens it, and paper has them all open.
function unfold() {
  const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (found?.tagName === "DETAILS") {
    found.open = true;
    found.scrollIntoView();
  }
}
window.addEventListener("hashchange", unfold);
window.addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
unfold();

// The theme follows the system until the button says otherwise, for this page alone.
const button = document.getElementById("theme");
const system = window.matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
function dark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
}
function name() {
  button.textContent = dark() ? "Light theme" : "Dark theme";
}
button.addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  name();
});
system.addEventListener("change", name);
button.hidden = false;
name();
