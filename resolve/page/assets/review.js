"use strict";
// Walking through the groups. The server has them all; a few around the current one are here.
(() => {
  const { Card, plural, scoreText, isTyping, relationText } = window.dedup;
  const RELATIONS = [
    "exact", "same_pixels", "reencoded", "resized", "cropped", "rotated", "flipped", "adjusted",
    "overlaid", "edited",
  ];
  const AHEAD = 8;
  const at = (id) => document.getElementById(id);
  const form = at("view");
  const actions = document.querySelector(".actions");
  let cards = new Map();
  let state = { total: 0, groups: 0, decided: 0 };
  let place = 0;
  let shown = null;
  let view = "side";
  let turn = Promise.resolve();

  for (const relation of RELATIONS) form.relation.append(new Option(relationText(relation), relation));

  function query() {
    const wanted = new URLSearchParams(new FormData(form));
    for (const [name, value] of [...wanted]) if (!value) wanted.delete(name);
    return wanted;
  }

  async function ask(address, body) {
    let answer;
    try {
      answer = await fetch(address, body && {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
    } catch {
      throw new Error("dedup review does not answer. Start it again and open the address it prints.");
    }
    if (!answer.ok) {
      const text = await answer.text();
      let said;
      try { said = JSON.parse(text); } catch { said = { error: text }; }
      throw new Error([said.error, said.remedy].filter(Boolean).join(" "));
    }
    return answer.json();
  }

  async function load(first, group = "") {
    const wanted = query();
    wanted.set("first", first);
    wanted.set("count", AHEAD);
    if (group) wanted.set("group", group);
    const page = await ask(`groups?${wanted}`);
    page.cards.forEach((card, number) => cards.set(page.first + number, card));
    state = page;
    return page.first;
  }

  async function go(wanted, keepFocus = false) {
    wanted = Math.max(0, Math.min(wanted, Math.max(0, state.total - 1)));
    if (!cards.has(wanted)) await load(wanted);
    place = Math.min(wanted, Math.max(0, state.total - 1));
    show(0, keepFocus);
    if (place + 2 < state.total && !cards.has(place + 2)) load(place + 1).catch(() => {});
  }

  function show(chosen, keepFocus) {
    const card = cards.get(place);
    actions.hidden = !card;
    at("stale").hidden = !state.is_stale;
    if (!card) {
      shown = null;
      at("where").textContent = state.groups
        ? "No group is like that. Change what is to be shown." : "No copies were found.";
      at("group").replaceChildren();
      return;
    }
    at("where").textContent = `Group ${(place + 1).toLocaleString("en")} of `
      + `${state.total.toLocaleString("en")}, ${state.decided.toLocaleString("en")} decided`;
    const name = card.keeper.path.split("/").pop();
    shown = new Card(card, {
      title: `${name}: ${scoreText(card.score)} sure`,
      level: 2, id: "heading", view, chosen, actions,
      onView: (value) => { view = value; },
      onCopy: (copy) => allow(card, copy),
    });
    at("group").replaceChildren(shown.element);
    allow(card, shown.copy);
    history.replaceState(null, "", `?${query()}#${card.id}`);
    if (!keepFocus) shown.heading.focus({ preventScroll: true });
    if (!keepFocus) scrollTo(0, 0);
    for (const near of [place + 1, place + 2]) {
      const next = cards.get(near);
      if (next) for (const image of [next.keeper, next.copies[0]]) {
        if (image?.preview) new Image().src = image.preview;
      }
    }
  }

  /** The same bytes as the keeper are the same picture: nothing is to be decided about them. */
  function allow(card, copy) {
    const isSame = !copy || copy.digest === card.keeper.digest;
    const able = {
      keep: !isSame, not_same: !isSame, undo: state.can_undo, previous: place > 0,
      next: place + 1 < state.total,
    };
    for (const button of actions.querySelectorAll("button")) {
      const isAble = able[button.dataset.do] ?? true;
      // Not `disabled`: that would take the focus from under the fingers.
      button.setAttribute("aria-disabled", String(!isAble));
    }
  }

  async function decide(action) {
    const card = shown.card;
    const copy = shown.copy;
    if (action !== "keep_all" && (!copy || copy.digest === card.keeper.digest)) {
      say("These are the same bytes: one picture. Use --prefer or --protect to choose among files.");
      return;
    }
    const answer = await ask("decide", {
      group: card.id, action, digest: action === "keep_all" ? "" : copy.digest,
    });
    await reload(card.id, shown.chosen);
    const what = {
      keep: "this one stays", not_same: "not the same picture", keep_all: "all stay",
    }[action];
    say(answer.saved ? `Saved: ${what}.` : `Already decided: ${what}.`);
  }

  async function undo() {
    const { group } = await ask("undo", {});
    await reload(group || shown?.card.id || "", 0);
    say(group ? "Taken back." : "There is nothing to take back.");
  }

  /** Everything once more, from the group on; what was decided may have changed what is shown. */
  async function reload(group, chosen) {
    cards = new Map();
    place = await load(place, group);
    show(chosen, true);
  }

  function say(text) {
    at("said").textContent = text;
  }

  const DO = {
    next: () => go(place + 1), previous: () => go(place - 1), undo,
    keep: () => decide("keep"), not_same: () => decide("not_same"), keep_all: () => decide("keep_all"),
    copyAfter: () => shown.choose(shown.chosen + 1), copyBefore: () => shown.choose(shown.chosen - 1),
    side: () => shown.show("side"), swipe: () => shown.show("swipe"),
    blink: () => shown.show("blink"), difference: () => shown.show("difference"),
  };
  const KEYS = {
    n: "next", ArrowRight: "next", p: "previous", ArrowLeft: "previous", k: "keep", x: "not_same",
    a: "keep_all", u: "undo", ArrowDown: "copyAfter", ArrowUp: "copyBefore", 1: "side", 2: "swipe",
    3: "blink", 4: "difference",
  };

  /** One thing after the other: keys come faster than answers. */
  function perform(name) {
    if (!shown && name !== "undo") return;
    turn = turn.then(async () => {
      at("fault").hidden = true;
      say("");
      try {
        await DO[name]();
      } catch (error) {
        at("fault").textContent = error.message;
        at("fault").hidden = false;
      }
    });
  }

  document.addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const name = KEYS[key];
    if (!name || !at("shortcuts").checked || isTyping(event)) return;
    const isInField = event.target.matches("input, summary");
    if (isInField && key.startsWith("Arrow")) return;
    event.preventDefault();
    perform(name);
  });
  actions.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && button.getAttribute("aria-disabled") !== "true") perform(button.dataset.do);
  });
  let waiting;
  form.addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(start, event.target.type === "search" ? 250 : 0);
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  function start(group = "") {
    turn = turn.then(async () => {
      at("fault").hidden = true;
      try {
        cards = new Map();
        place = await load(0, group);
        show(0, true);
      } catch (error) {
        at("fault").textContent = error.message;
        at("fault").hidden = false;
      }
    });
  }

  const remembered = new URLSearchParams(location.search);
  for (const name of ["order", "relation", "folder"]) {
    if (remembered.has(name)) form.elements[name].value = remembered.get(name);
  }
  form.undecided.checked = remembered.get("undecided") === "1";
  start(decodeURIComponent(location.hash.slice(1)));
})();
