"use strict";
// A group: its keeper with the reasons, one copy beside it, and the other copies to choose from.
(() => {
  const {
    element, bytesText, dateText, plural, relationText, scoreText, Pair, placing, placingText, picture,
    framed,
  } = window.dedup;

  function facts(image) {
    return element(
      "dl", { class: "facts" },
      ...[
        ["Size", `${image.width} × ${image.height}, ${image.format}, ${bytesText(image.bytes)}`],
        ["Modified", dateText(image.modified)],
        ["Metadata", image.facts.join(", ") || null],
      ].filter(([, text]) => text).flatMap(([term, text]) => [
        element("dt", {}, term), element("dd", {}, text),
      ]),
    );
  }

  const path = (image) => element("p", { class: "path" }, element("bdi", {}, image.path));

  function keeperCaption(card) {
    const keeper = card.keeper;
    const list = (items, name) => items.length
      ? element("ul", { class: name }, ...items.map((item) => element("li", {}, item))) : null;
    return element(
      "figcaption", {},
      element("p", { class: "tag" },
        keeper.in_reference ? "Stays, in the reference index" : "Stays",
        mark(card, keeper.digest)),
      path(keeper), facts(keeper), list(keeper.reasons, "reasons"),
      card.also_kept.length
        ? element("p", { class: "soft" }, `Stays too: ${card.also_kept.join("; ")}`) : null,
    );
  }

  function copyCaption(card, copy) {
    const lies = placingText(placing(card.keeper, copy));
    return element(
      "figcaption", {},
      element("p", { class: "tag" },
        `Goes: ${relationText(copy.relation)}, ${scoreText(copy.score)} sure`,
        mark(card, copy.digest)),
      path(copy), facts(copy), element("p", {}, copy.reason),
      lies ? element("p", { class: "soft" }, `In yellow on the keeper: ${lies}.`) : null,
    );
  }

  /** What somebody decided about an image; null for nothing. */
  function decisionText(card, digest) {
    if (card.apart?.includes(digest)) return "you: not the same";
    return card.kept?.includes(digest) ? "you: stays" : null;
  }

  function mark(card, digest) {
    const text = decisionText(card, digest);
    return text === null ? null : element("span", { class: "mark" }, text);
  }

  class Card {
    /**
     * options: title, level of the heading, id, view, onView, onCopy, actions (an element that
     * stands below the pair).
     */
    constructor(card, options) {
      this.card = card;
      this.options = options;
      this.chosen = Math.min(options.chosen || 0, card.copies.length - 1);
      this.view = options.view || "side";
      this.heading = element(
        `h${options.level}`, { id: options.id, tabindex: "-1" }, options.title,
      );
      this.place = element("div");
      this.strip = element("div", {
        class: "strip", role: "group", "aria-label": "Copies in this group",
        hidden: card.copies.length < 2,
      });
      this.strip.append(...card.copies.map((copy, number) => element(
        "button",
        { type: "button", class: "thumb", click: () => this.choose(number) },
        copy.preview ? picture(copy, "") : null,
        element("span", {}, `${relationText(copy.relation)}, ${scoreText(copy.score)}`),
        element("span", { class: "mark" }, decisionText(card, copy.digest) || ""),
        element("span", { class: "unseen" }, copy.path.split("/").pop()),
      )));
      this.element = element(
        "article", { "aria-labelledby": options.id },
        element("div", { class: "head" }, this.heading,
          element("p", { class: "soft" }, this.summary())),
        this.strip, this.place, options.actions,
        card.more
          ? element("p", { class: "soft" }, `And ${plural(card.more, "more copy", "more copies")}.`)
          : null,
      );
      this.choose(this.chosen);
    }

    summary() {
      const copies = this.card.copies.length + this.card.more;
      return `${plural(copies, "copy", "copies")}, ${bytesText(this.card.bytes)} to free`;
    }

    get copy() {
      return this.card.copies[this.chosen];
    }

    choose(number) {
      this.chosen = Math.max(0, Math.min(number, this.card.copies.length - 1));
      [...this.strip.children].forEach((button, place) => {
        button.setAttribute("aria-pressed", String(place === this.chosen));
      });
      if (!this.copy) {
        this.place.replaceChildren(element("figure", { class: "keep" },
          framed(this.card.keeper, "The keeper"), keeperCaption(this.card)));
        return;
      }
      this.pair = new Pair(
        this.card.keeper, this.copy, keeperCaption(this.card), copyCaption(this.card, this.copy),
        this.view, (view) => { this.view = view; this.options.onView?.(view); },
      );
      this.place.replaceChildren(this.pair.element);
      this.options.onCopy?.(this.copy, this.chosen);
    }

    show(view) {
      this.view = view;
      this.pair?.show(view);
      this.options.onView?.(view);
    }
  }

  Object.assign(window.dedup, { Card, decisionText });
})();
