"use strict";
// Joins the parts: theme, views, filters, list and item follow the address.
(() => {
  const { el, byId, words, thousands, state, filter } = videor1;
  const OUTCOMES = [["", "any"], ["other", "not correct"]];
  const SORTS = [["", "by video"], ["tokens", "longest answers"], ["seconds", "slowest answers"]];
  const SELECTS = ["task", "category", "outcome", "run", "flip", "a", "b", "sort"];
  const categories = new Map();
  let index = null;
  let filtered = null;
  let positions = [];

  function setOptions(id, options, value) {
    const select = byId(id);
    const known = options.some((option) => option[0] === value);
    const all = known ? options : [...options, [value, value]];
    select.replaceChildren(...all.map(([name, text]) => el("option", { value: name }, text)));
    select.value = value;
    select.classList.toggle("set", value !== "");
  }

  function categoriesOf(task) {
    if (!categories.has(task)) categories.set(task, findCategories(task));
    return categories.get(task);
  }

  function findCategories(task) {
    const used = new Set();
    const wanted = index.task.names.indexOf(task);
    for (let at = 0; at < index.id.length; at += 1) {
      if (task && index.task.codes[at] !== wanted) continue;
      used.add(index.category.codes[at]);
    }
    const names = new Set();
    for (const code of used) {
      const parts = index.category.names[code].split("/");
      parts.forEach((_, depth) => names.add(parts.slice(0, depth + 1).join("/")));
    }
    return [...names].sort();
  }

  function flipsOf(first, second) {
    return [["", "any"], ["differ", "one right, one wrong"], ["lost", `only ${first} right`],
      ["gained", `only ${second} right`], ["both", "both right"], ["neither", "both wrong"]];
  }

  function showFilters(now) {
    const runs = index.runs.map((run, number) => [String(number), run.label]);
    const pair = filter.pairOf(index, now).map(String);
    const many = runs.length > 1;
    const named = (names) => [["", "all"], ...names.map((name) => [name, name])];
    setOptions("task", named(index.task.names), now.task);
    setOptions("category", named(categoriesOf(now.task)), now.category);
    setOptions("outcome", [...OUTCOMES, ...index.outcomes.map((name) => [name, words(name)]),
      ["missing", "no record"]], now.outcome);
    setOptions("run", [["", "any"], ...runs], now.run);
    setOptions("flip", flipsOf(index.runs[pair[0]].label, index.runs[pair[1]].label), now.flip);
    setOptions("a", runs, pair[0]);
    setOptions("b", runs, pair[1]);
    setOptions("sort", many ? [...SORTS, ["change", "largest loss first"]] : SORTS, now.sort);
    for (const name of ["a", "b"]) byId(name).classList.remove("set");
    for (const label of document.querySelectorAll(".pairs")) label.hidden = !many;
    for (const name of ["a", "b"]) byId(name).parentElement.hidden = runs.length < 3;
    byId("run-label").hidden = !many;
    byId("disagree-label").hidden = !index.runs.some((run) => run.disagree.length);
    byId("disagree").checked = Boolean(now.disagree);
    byId("full").checked = Boolean(now.full);
    if (document.activeElement !== byId("q")) byId("q").value = now.q;
    byId("video-chip").hidden = !now.video;
    byId("video-chip").textContent = `video ${now.video} ✕`;
    byId("clear").hidden = state.FILTERS.every((name) => !now[name]);
  }

  function say(text) {
    byId("status").textContent = text;
  }

  // Filter again if a filter has changed; an open item alone changes nothing.
  async function filterItems(now) {
    const key = state.link({ ...now, item: "" });
    if (key === filtered) return true;
    filtered = key;
    const isStale = () => filtered !== key;
    let inFull = new Set();
    if (now.q) {
      await filter.loadTexts(index);
      if (isStale()) return false;
    }
    if (now.q && now.full) {
      inFull = await filter.searchFull(index, now.q, (done, all) => say(
        `searching full responses, ${done} of ${all} blocks`), isStale);
      if (inFull === null) return false;
    }
    positions = filter.apply(index, now, inFull);
    const all = index.id.length;
    say(positions.length === all ? `${thousands(all)} items`
      : `${thousands(positions.length)} of ${thousands(all)} items`);
    return true;
  }

  async function showItems(now) {
    try {
      index ??= await videor1.load("index");
    } catch (error) {
      say(error.message);
      return;
    }
    showFilters(now);
    if (!(await filterItems(now))) return;
    videor1.list.show(index, positions, now);
    await videor1.item.show(index, now);
    document.documentElement.dataset.ready = filtered;
  }

  function showView(view) {
    for (const section of document.querySelectorAll("main > .view")) {
      section.classList.toggle("current", section.id === `view-${view}`);
    }
    for (const link of document.querySelectorAll(".bar nav a")) {
      if (link.dataset.view === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  // Show the search field at once: what is typed before the next drawing belongs to it.
  function startSearch() {
    state.go({ view: "items" });
    showView("items");
    byId("q").focus();
  }

  function render() {
    const now = state.read();
    const anchor = now.view === "overview" && location.hash.length > 1 ? byId(location.hash.slice(1)) : null;
    const view = anchor?.closest(".view")?.id.slice("view-".length) ?? now.view;
    showView(view);
    if (view === "items") showItems(now);
    else if (!anchor) window.scrollTo(0, 0);
  }

  function setTheme(name) {
    if (name) document.documentElement.dataset.theme = name;
    try {
      if (name) localStorage.setItem("videor1-theme", name);
      else document.documentElement.dataset.theme = localStorage.getItem("videor1-theme") ?? "";
    } catch {
      // A browser that keeps nothing for pages from a disk: the choice lasts until it is closed.
    }
  }

  function toggleTheme() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
    setTheme(now === "dark" ? "light" : "dark");
  }

  videor1.startSearch = startSearch;
  let typing = 0;
  byId("q").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => state.go({ q: byId("q").value, item: "" }, true), 80);
  });
  for (const id of SELECTS) {
    byId(id).addEventListener("change", () => state.go({
      [id]: byId(id).value, ...(id === "task" ? { category: "" } : {}),
    }));
  }
  for (const id of ["full", "disagree"]) {
    byId(id).addEventListener("change", () => state.go({ [id]: byId(id).checked ? "1" : "" }));
  }
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    byId("q").value = "";
    state.go(state.without(state.FILTERS));
  });
  byId("video-chip").addEventListener("click", () => state.go({ video: "" }));
  byId("csv").addEventListener("click", () => index && videor1.table.save(index, positions));
  byId("theme").addEventListener("click", toggleTheme);
  window.addEventListener("hashchange", render);
  document.documentElement.classList.add("js");
  setTheme(null);
  render();
})();
