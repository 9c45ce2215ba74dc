"use strict";
// Shows the list of items; only rows that can be seen are in the document.
videor1.list = (() => {
  const { el, byId, words } = videor1;
  const HEIGHT = 66;
  const MARGIN = 8;
  const MOST_MARKS = 8;
  const SIGNS = {
    correct: "✓", wrong: "✗", partial: "½", no_answer: "∅", truncated: "…", refused: "⊘",
    failed: "!", missing: "–",
  };
  const rows = new Map();
  let index = null;
  let positions = [];
  let state = null;
  let toFocus = null;

  function badge(outcome, value, label) {
    const name = outcome ?? "missing";
    const worth = value === null || value === undefined ? "" : `, ${value}`;
    const text = `${label ? `${label}: ` : ""}${words(name)}${worth}`;
    return el("span", { class: `badge b-${name}`, title: text, role: "img", "aria-label": text },
      SIGNS[name]);
  }

  // Show the outcome in every run; of many runs how many are correct.
  function marks(at) {
    if (index.runs.length > MOST_MARKS) {
      const correct = index.outcomes.indexOf("correct");
      const count = index.runs.filter((run) => run.outcome[at] === correct).length;
      return el("span", { class: "marks" },
        el("span", { class: "share" }, `${count} of ${index.runs.length} correct`));
    }
    return el("span", { class: "marks" }, index.runs.map((run) =>
      badge(index.outcomes[run.outcome[at]], run.value[at], run.label)));
  }

  function makeRow(place) {
    const at = positions[place];
    const item = index.id[at];
    const question = index.question[at] ?? item;
    const where = [index.category.names[index.category.codes[at]],
      index.cluster.names[index.cluster.codes[at]]].join(" · ");
    const link = el("a", {
      class: "row", href: videor1.state.link({ ...state, item }), "data-item": item,
      "aria-current": state.item === item ? "true" : null,
    }, el("span", { class: "q" }, question), el("span", { class: "where" }, where), marks(at));
    const row = el("li", { "aria-setsize": positions.length, "aria-posinset": place + 1 }, link);
    row.style.top = `${place * HEIGHT}px`;
    return row;
  }

  function draw() {
    const box = byId("list");
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - MARGIN);
    const end = Math.min(positions.length,
      Math.ceil((box.scrollTop + box.clientHeight) / HEIGHT) + MARGIN);
    for (const [place, row] of rows) {
      if (place < first || place >= end) {
        row.remove();
        rows.delete(place);
      }
    }
    for (let place = first; place < end; place += 1) {
      if (rows.has(place)) continue;
      const row = makeRow(place);
      rows.set(place, row);
      byId("rows").append(row);
    }
  }

  // Show other items, or the same with another one open; a row that has the focus keeps it.
  function show(newIndex, newPositions, newState) {
    const same = newPositions === positions;
    const focused = toFocus ?? document.activeElement?.closest("#rows .row")?.dataset.item;
    [index, positions, state] = [newIndex, newPositions, newState];
    for (const row of rows.values()) row.remove();
    rows.clear();
    byId("rows").style.height = `${positions.length * HEIGHT}px`;
    if (!same) byId("list").scrollTop = 0;
    reveal(placeOf(state.item));
    draw();
    toFocus = null;
    if (focused) rows.get(placeOf(focused))?.firstChild.focus({ preventScroll: true });
  }

  function placeOf(item) {
    return item ? positions.findIndex((at) => index.id[at] === item) : -1;
  }

  function reveal(place) {
    if (place < 0) return;
    const box = byId("list");
    const top = place * HEIGHT;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + HEIGHT > box.scrollTop + box.clientHeight) {
      box.scrollTop = top + HEIGHT - box.clientHeight;
    }
  }

  // Return the id of the item some places after the open one, the first without one.
  function neighbour(steps) {
    const place = placeOf(state.item);
    const next = place < 0 ? 0 : place + steps;
    return next >= 0 && next < positions.length ? index.id[positions[next]] : null;
  }

  // Move the focus to the row of an item when the list is shown next.
  function focusLater(item) {
    toFocus = item;
  }

  byId("list").addEventListener("scroll", () => requestAnimationFrame(() => index && draw()));
  new ResizeObserver(() => index && draw()).observe(byId("list"));
  return { show, neighbour, placeOf, focusLater, badge, marks, count: () => positions.length };
})();
