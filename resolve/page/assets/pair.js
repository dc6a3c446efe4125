"use strict";
// The keeper and one copy: side by side, or laid on each other to swipe, blink or subtract.
(() => {
  const { element, svg } = window.dedup;
  const VIEWS = [
    ["side", "Side by side"], ["swipe", "Swipe"], ["blink", "Blink"], ["difference", "Difference"],
  ];
  const BLINK_MS = 600;
  const CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]];
  const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  // A frame that lies this much (share of a side) inside the other is a crop, not rounding.
  const INSIDE = 0.012;
  let counter = 0;

  function project(map, [x, y]) {
    const w = map[6] * x + map[7] * y + map[8];
    return [(map[0] * x + map[1] * y + map[2]) / w, (map[3] * x + map[4] * y + map[5]) / w];
  }

  /** How the copy lies on the keeper: corners in shares of the keeper's frame, turn, mirroring. */
  function placing(keeper, copy) {
    const map = copy.onto || IDENTITY;
    const corners = CORNERS.map((corner) => project(map, corner));
    const inPixels = (a, b) => [(b[0] - a[0]) * keeper.width, (b[1] - a[1]) * keeper.height];
    let across = inPixels(corners[0], corners[1]);
    const down = inPixels(corners[0], corners[3]);
    const isMirrored = across[0] * down[1] - across[1] * down[0] < 0;
    if (isMirrored) across = [-across[0], -across[1]];
    const degrees = Math.atan2(across[1], across[0]) * 180 / Math.PI;
    const isCrop = [0, 1].some((axis) => {
      const along = corners.map((corner) => corner[axis]);
      return Math.min(...along) > INSIDE || Math.max(...along) < 1 - INSIDE;
    });
    return { map, corners, degrees, isMirrored, isCrop };
  }

  /** What is drawn on the keeper, in words; "" when the copy lies on it frame on frame. */
  function placingText(placed) {
    const words = placed.isCrop ? ["its frame"] : [];
    if (placed.isMirrored) words.push("mirrored");
    const turned = Math.round(placed.degrees);
    if (Math.abs(turned) >= 1) words.push(`turned ${Math.abs(turned)}°${turned < 0 ? " left" : ""}`);
    return words.join(", ");
  }

  /** The copy's frame drawn on the keeper, with a tick where the copy's upper edge is. */
  function outline(placed) {
    const points = placed.corners.map(([x, y]) => `${x * 100},${y * 100}`).join(" ");
    const [top, centre] = [project(placed.map, [0.5, 0]), project(placed.map, [0.5, 0.5])];
    const inner = [top[0] + (centre[0] - top[0]) * 0.25, top[1] + (centre[1] - top[1]) * 0.25];
    const tick = {
      x1: top[0] * 100, y1: top[1] * 100, x2: inner[0] * 100, y2: inner[1] * 100,
    };
    return svg(
      "svg",
      { viewBox: "0 0 100 100", preserveAspectRatio: "none", class: "outline", "aria-hidden": "true" },
      svg("polygon", { points, class: "under" }), svg("line", { ...tick, class: "under" }),
      svg("polygon", { points, class: "over" }), svg("line", { ...tick, class: "over" }),
    );
  }

  function picture(image, alt) {
    if (!image.preview) return element("p", { class: "soft missing" }, "Not in the report. dedup review shows it.");
    const made = element("img", { src: image.preview, alt, decoding: "async" });
    made.addEventListener("error", () => {
      made.replaceWith(element("p", { class: "soft missing" }, "The preview is not to be had."));
    });
    return made;
  }

  /** A picture at the size of the others, however few pixels it has. */
  function framed(image, alt) {
    const made = element("div", { class: "frame" }, picture(image, alt));
    made.style.setProperty("--ratio", image.width / image.height);
    return made;
  }

  /** The CSS transform that lays the copy, stretched to the keeper's box, where it belongs. */
  function laid(map, width, height) {
    const [a, b, c, d, e, f, g, h, i] = map;
    return `matrix3d(${[
      a, d * height / width, 0, g / width,
      b * width / height, e, 0, h / height,
      0, 0, 1, 0,
      c * width, f * height, 0, i,
    ].join(",")})`;
  }

  class Pair {
    /** Captions are elements; `view` is one of VIEWS. */
    constructor(keeper, copy, keeperCaption, copyCaption, view, onView) {
      this.placed = placing(keeper, copy);
      this.ratio = keeper.width / keeper.height;
      this.onView = onView;
      const name = keeper.path.split("/").pop();
      const copyName = copy.path.split("/").pop();
      const frame = framed(keeper, `Keeper: ${name}`);
      if (placingText(this.placed) && keeper.preview) frame.append(outline(this.placed));
      this.side = element(
        "div", { class: "side" },
        element("figure", { class: "keep" }, frame, keeperCaption),
        element("figure", { class: "go" }, framed(copy, `Copy: ${copyName}`), copyCaption),
      );
      this.under = element("div", { class: "layer" }, picture(keeper, ""));
      this.over = element("div", { class: "layer" }, picture(copy, ""));
      this.stack = element(
        "div",
        { class: "stack", role: "img", "aria-label": `${copyName} laid on ${name}` },
        this.under, this.over,
      );
      this.stack.style.setProperty("--ratio", this.ratio);
      this.handle = element("input", {
        type: "range", min: "0", max: "100", value: "50", class: "handle",
        "aria-label": "How much of the copy is seen, from the right", input: () => this.swipe(),
      });
      this.note = element("p", { class: "soft", "aria-live": "polite" });
      this.laidOut = element("div", { class: "laid" }, this.stack, this.handle, this.note);
      const group = `view-${++counter}`;
      this.radios = VIEWS.map(([value, text]) => {
        const radio = element("input", {
          type: "radio", name: group, value, change: () => { this.show(value); onView?.(value); },
        });
        return element("label", {}, radio, element("span", {}, text));
      });
      this.element = element(
        "div", { class: "pair" },
        element("div", { class: "views", role: "radiogroup", "aria-label": "How to compare" },
          ...this.radios),
        this.laidOut, this.side,
      );
      new ResizeObserver(() => this.place()).observe(this.stack);
      this.show(view || "side");
    }

    show(view) {
      this.view = view;
      this.element.dataset.view = view;
      for (const label of this.radios) label.firstChild.checked = label.firstChild.value === view;
      this.laidOut.hidden = view === "side";
      this.handle.hidden = view !== "swipe";
      clearInterval(this.timer);
      this.over.style.visibility = "visible";
      // What the copy does not show is no difference.
      const frame = this.placed.corners.map(([x, y]) => `${x * 100}% ${y * 100}%`).join(",");
      this.under.style.clipPath = view === "difference" ? `polygon(${frame})` : "";
      this.swipe();
      this.note.textContent = {
        side: "",
        swipe: "The keeper on the left, the copy on the right. Arrow keys move the line.",
        blink: "The keeper and the copy in turn.",
        difference: "Black where they agree and beside the copy; what differs is made four times brighter.",
      }[view];
      if (view === "blink") this.blink();
      this.place();
    }

    blink() {
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
        this.note.textContent = "The copy. Choose Blink again to see the keeper (less motion).";
        return;
      }
      this.timer = setInterval(() => {
        // A page that has gone on needs no clock.
        if (!this.element.isConnected) clearInterval(this.timer);
        const isSeen = this.over.style.visibility === "visible";
        this.over.style.visibility = isSeen ? "hidden" : "visible";
      }, BLINK_MS);
    }

    swipe() {
      const share = this.view === "swipe" ? this.handle.value : 0;
      this.over.style.clipPath = share ? `inset(0 0 0 ${share}%)` : "";
      this.stack.style.setProperty("--line", `${share}%`);
    }

    place() {
      const { clientWidth: width, clientHeight: height } = this.stack;
      const image = this.over.firstChild;
      if (width && image) image.style.transform = laid(this.placed.map, width, height);
    }
  }

  Object.assign(window.dedup, { Pair, placing, placingText, picture, framed });
})();
