"use strict";
// What the keys do.
videor1.keys = (() => {
  const { byId, state } = videor1;
  let leader = false;

  function openNeighbour(by) {
    const next = videor1.list.neighbour(by);
    if (next === null) return;
    state.go({ view: "items", item: next }, true);
  }

  function escape(event) {
    if (byId("help").open) return;
    if (event.target.closest("#filters")) event.target.blur();
    else if (state.read().item) videor1.item.close();
  }

  function goTo(view) {
    if (document.querySelector(`[data-view="${view}"]`)) state.go({ view, item: "" });
  }

  const KEYS = {
    j: () => openNeighbour(1),
    k: () => openNeighbour(-1),
    ArrowDown: () => openNeighbour(1),
    ArrowUp: () => openNeighbour(-1),
    ",": () => videor1.item.step(-1),
    ".": () => videor1.item.step(1),
    x: () => state.go(state.without(state.FILTERS)),
    "?": () => byId("help").showModal(),
  };
  const VIEWS = { o: "overview", c: "compare", i: "items" };

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (event.key === "Escape") return escape(event);
    const field = event.target.closest("input, select, textarea");
    if (field && !(field.type === "checkbox" && event.key.length === 1)) return;
    const isItems = state.read().view === "items";
    if (leader && VIEWS[event.key]) {
      leader = false;
      return goTo(VIEWS[event.key]);
    }
    leader = event.key === "g";
    if (event.key === "/") {
      event.preventDefault();
      videor1.startSearch();
    } else if (event.key === "Enter" && isItems && event.target.closest(".row[aria-current]")) {
      event.preventDefault();
      byId("item").focus();
    } else if (event.key === "Enter" && isItems && event.target === document.body) {
      byId("item").focus();
    } else if (KEYS[event.key] && (isItems || event.key === "?")) {
      if (event.key.startsWith("Arrow") && event.target.closest("#item, .wide, pre")) return;
      event.preventDefault();
      KEYS[event.key]();
    }
  }

  document.addEventListener("keydown", press);
  byId("help-button").addEventListener("click", () => byId("help").showModal());
})();
