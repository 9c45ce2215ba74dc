"use strict";
// The state of the page is its address: a view, filters, and the item that is open.
videor1.state = (() => {
  const NAMES = [
    "task", "category", "outcome", "run", "flip", "a", "b", "video", "q", "full", "disagree",
    "sort", "item",
  ];
  const FILTERS = NAMES.filter((name) => !["sort", "item", "a", "b", "run"].includes(name));
  const VIEWS = ["overview", "compare", "items"];

  function read() {
    const [view, query = ""] = location.hash.slice(1).split("?", 2);
    const given = new URLSearchParams(query);
    const state = { view: VIEWS.includes(view) ? view : "overview" };
    for (const name of NAMES) state[name] = given.get(name) ?? "";
    return state;
  }

  function link(state) {
    const query = new URLSearchParams();
    for (const name of NAMES) if (state[name]) query.set(name, state[name]);
    const text = query.toString();
    return `#${state.view}${text ? `?${text}` : ""}`;
  }

  // Change the address; `replace` leaves no step to go back to.
  function go(changes, replace = false) {
    const address = link({ ...read(), ...changes });
    if (address === location.hash) return;
    if (replace) location.replace(address);
    else location.hash = address;
  }

  function without(names) {
    return Object.fromEntries(names.map((name) => [name, ""]));
  }

  return { read, link, go, NAMES, FILTERS, without };
})();
