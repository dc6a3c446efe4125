"use strict";
(() => {
  const groups = [...document.querySelectorAll("#list > article")];
  const buttons = [...document.querySelectorAll(".filters button")];
  const search = document.getElementById("search");
  const status = document.getElementById("status");
  let relation = "";

  function apply() {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const group of groups) {
      const fits = (!relation || group.dataset.relations.split(" ").includes(relation))
        && (!wanted || group.dataset.paths.includes(wanted));
      group.hidden = !fits;
      shown += fits;
    }
    status.textContent = `${shown} of ${groups.length} groups shown`;
  }

  function move(step) {
    const visible = groups.filter((group) => !group.hidden);
    const place = visible.indexOf(document.activeElement.closest("article"));
    const next = place < 0 ? (step > 0 ? 0 : visible.length - 1) : place + step;
    visible[Math.max(0, Math.min(visible.length - 1, next))]?.focus();
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      relation = button.dataset.relation;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      apply();
    });
  }
  search.addEventListener("input", apply);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === search) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") { event.preventDefault(); search.focus(); }
  });
  document.getElementById("controls").hidden = false;
  apply();
})();
