"use strict";
// Sorting, filtering and showing the groups, a page at a time.
(() => {
  const { Card, plural, scoreText, relationText, isTyping } = window.dedup;
  const PAGE = 20;
  const at = (id) => document.getElementById(id);
  const form = at("view");
  const index = JSON.parse(at("index").textContent);
  const count = index.scores.length;
  const parts = new Map();
  const waiting = new Map();
  let places = [];
  let page = 0;
  let view = "side";
  let shown = [];
  let showing = 0;

  /** Called by the files beside the page. */
  window.dedup.part = (number, cards) => waiting.get(number)?.(cards);

  function part(number) {
    if (!parts.has(number)) {
      parts.set(number, index.folder ? fetched(number)
        : Promise.resolve(JSON.parse(at(`part-${number}`).textContent)));
    }
    const found = parts.get(number);
    // The latest ones last; the oldest go, for a large result does not fit into memory.
    parts.delete(number);
    parts.set(number, found);
    for (const oldest of parts.keys()) if (parts.size > 2 * PAGE) parts.delete(oldest); else break;
    return found;
  }

  function fetched(number) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(number, resolve);
      script.src = `${index.folder}/${String(number).padStart(5, "0")}.js`;
      script.onload = () => { waiting.delete(number); script.remove(); };
      script.onerror = () => {
        parts.delete(number);
        reject(new Error(`The folder ${index.folder} belongs beside this page and is not there.`));
      };
      document.head.append(script);
    });
  }

  const cardOf = async (place) =>
    (await part(Math.floor(place / index.partSize)))[place % index.partSize];

  function wanted() {
    const bit = form.relation.value ? 1 << index.relations.indexOf(form.relation.value) : 0;
    const most = form.most.value === "" ? 1 : form.most.value / 100;
    const least = form.least.value === "" ? 0 : form.least.value * 1e6;
    const text = form.folder.value.trim().toLowerCase();
    const folders = new Set();
    if (text) index.folders.forEach((name, n) => {
      if (name.toLowerCase().includes(text)) folders.add(n);
    });
    const found = [];
    for (let n = 0; n < count; n++) {
      if ((!bit || index.relationsOf[n] & bit) && index.scores[n] <= most && index.bytes[n] >= least
          && (!text || index.foldersOf[n].some((folder) => folders.has(folder)))) found.push(n);
    }
    const folderOf = (n) => index.folders[index.foldersOf[n][0]];
    const order = {
      // The order they come in.
      uncertain: null,
      certain: (a, b) => index.scores[b] - index.scores[a] || a - b,
      bytes: (a, b) => index.bytes[b] - index.bytes[a] || a - b,
      folder: (a, b) => (folderOf(a) < folderOf(b) ? -1 : Number(folderOf(a) > folderOf(b))) || a - b,
    }[form.order.value];
    return order ? found.sort(order) : found;
  }

  async function show() {
    const mine = ++showing;
    const pages = Math.max(1, Math.ceil(places.length / PAGE));
    page = Math.max(0, Math.min(page, pages - 1));
    const chosen = places.slice(page * PAGE, (page + 1) * PAGE);
    let cards;
    at("fault").hidden = true;
    try {
      cards = await Promise.all(chosen.map(cardOf));
    } catch (error) {
      at("fault").textContent = error.message;
      at("fault").hidden = false;
      cards = [];
    }
    // Something else was asked for meanwhile.
    if (mine !== showing) return;
    shown = cards.map((card, number) => new Card(card, {
      title: `${card.keeper.path.split("/").pop()}: ${scoreText(card.score)} sure`,
      level: 3, id: `group-${number}`, view, onView: (value) => { view = value; },
    }));
    at("list").replaceChildren(...shown.map((card) => card.element));
    at("pages").hidden = pages === 1;
    at("page").max = pages;
    at("page").value = page + 1;
    at("of").textContent = `of ${pages.toLocaleString("en")}`;
    for (const button of document.querySelectorAll("#pages button")) {
      const there = page + Number(button.dataset.step);
      button.setAttribute("aria-disabled", String(there < 0 || there >= pages));
    }
    const bytes = places.reduce((sum, n) => sum + index.bytes[n], 0);
    at("status").textContent = !count ? "No copies were found."
      : `${plural(places.length, "group")}${places.length < count ? ` of ${count.toLocaleString("en")}` : ""}, `
        + `${window.dedup.bytesText(bytes)} to free.`;
  }

  function choose() {
    places = wanted();
    page = 0;
    return show();
  }

  async function turn(step) {
    const next = page + step;
    if (next < 0 || next * PAGE >= places.length) return false;
    page = next;
    await show();
    return true;
  }

  function focus(place) {
    const card = shown[place];
    if (!card) return;
    card.heading.focus({ preventScroll: true });
    card.element.scrollIntoView({ block: "start" });
  }

  async function move(step) {
    const article = document.activeElement.closest("article");
    const now = shown.findIndex((card) => card.element === article);
    const next = now < 0 ? (step > 0 ? 0 : shown.length - 1) : now + step;
    if (next >= 0 && next < shown.length) focus(next);
    else if (await turn(step)) focus(step > 0 ? 0 : shown.length - 1);
  }

  document.addEventListener("keydown", (event) => {
    if (!at("shortcuts").checked || isTyping(event)) return;
    const key = event.key.toLowerCase();
    const views = { 1: "side", 2: "swipe", 3: "blink", 4: "difference" };
    if (key === "n" || key === "p") move(key === "n" ? 1 : -1);
    else if (key === "/") form.folder.focus();
    else if (views[key]) {
      const article = document.activeElement.closest("article");
      (shown.find((card) => card.element === article) || shown[0])?.show(views[key]);
    } else return;
    event.preventDefault();
  });
  at("pages").addEventListener("click", async (event) => {
    const step = Number(event.target.closest("button")?.dataset.step);
    if (step && await turn(step)) focus(0);
  });
  at("page").addEventListener("change", async () => {
    page = at("page").value - 1;
    await show();
    focus(0);
  });
  let timer;
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(choose, event.target.matches("select") ? 0 : 250);
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  const found = index.relationsOf.reduce((bits, own) => bits | own, 0);
  index.relations.forEach((relation, n) => {
    if (found & (1 << n)) form.relation.append(new Option(relationText(relation), relation));
  });
  form.hidden = !count;
  choose().then(() => {
    document.documentElement.dataset.ready = "";
  });
})();
