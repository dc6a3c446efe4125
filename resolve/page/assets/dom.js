"use strict";
// What both pages build themselves from. Texts become text nodes: nothing is ever parsed as markup.
window.dedup = (() => {
  const UNITS = ["B", "kB", "MB", "GB"];

  /** An element: element("p", {class: "soft"}, "text", child). Functions become listeners. */
  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") made.addEventListener(key, value);
      else if (typeof value === "boolean") made.toggleAttribute(key, value);
      else if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  function svg(name, attributes = {}, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function bytesText(count) {
    for (const unit of UNITS) {
      if (count < 1000) return `${unit === "B" ? count : count.toFixed(1)} ${unit}`;
      count /= 1000;
    }
    return `${count.toFixed(1)} TB`;
  }

  function dateText(seconds) {
    if (seconds === null) return "no longer in the index";
    return new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC";
  }

  const plural = (count, one, many = `${one}s`) =>
    `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

  const relationText = (relation) => relation.replaceAll("_", " ");

  /** A score as a person reads it: the share of such verdicts that are right, never rounded up. */
  const scoreText = (score) => `${(Math.floor(score * 1000) / 10).toFixed(1)} %`;

  /** Whether keys pressed now are meant for a field and not for the page. */
  function isTyping(event) {
    const target = event.target;
    return event.ctrlKey || event.metaKey || event.altKey || target.isContentEditable
      || target.matches("select, textarea, input:not([type=checkbox], [type=radio], [type=range])");
  }

  return { element, svg, bytesText, dateText, plural, relationText, scoreText, isTyping };
})();
