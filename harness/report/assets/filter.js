"use strict";
// Decides which items the list shows. `index` is data/index-0.js: one column per field.
videor1.filter = (() => {
  const RIGHT = 0.5;
  const texts = [];

  // What both runs of a pair made of an item: both, lost, gained, neither; null: not compared.
  function flipOf(index, at, a, b) {
    const [base, other] = [index.runs[a], index.runs[b]];
    const failed = index.outcomes.indexOf("failed");
    for (const run of [base, other]) {
      if (run.outcome[at] === null || run.outcome[at] === failed) return null;
    }
    const before = (base.value[at] ?? 0) >= RIGHT;
    const after = (other.value[at] ?? 0) >= RIGHT;
    if (before) return after ? "both" : "lost";
    return after ? "gained" : "neither";
  }

  function pairOf(index, state) {
    const number = (text, other) => {
      const found = Number.parseInt(text, 10);
      return found >= 0 && found < index.runs.length ? found : other;
    };
    return [number(state.a, 0), number(state.b, Math.min(1, index.runs.length - 1))];
  }

  // Return the words that a text has to hold; those between quotes belong together.
  function wordsOf(query) {
    const found = query.toLowerCase().match(/"[^"]+"|[^\s"]+/g) ?? [];
    return found.map((word) => word.replaceAll('"', ""));
  }

  // Load the search texts of all blocks; they are kept.
  async function loadTexts(index) {
    if (texts.length === index.id.length) return;
    const blocks = await Promise.all(index.blocks.map((_, at) => videor1.load("find", at)));
    texts.length = 0;
    for (const block of blocks) for (const text of block) texts.push(text);
  }

  // Return the positions of the items that all filters let through, in the order of the sort.
  function apply(index, state, inFull) {
    const checks = makeChecks(index, state, inFull);
    const found = [];
    for (let at = 0; at < index.id.length; at += 1) {
      if (checks.every((check) => check(at))) found.push(at);
    }
    return sort(index, state, found);
  }

  function makeChecks(index, state, inFull) {
    const checks = [];
    const code = (column, name) => index[column].names.indexOf(name);
    if (state.task) {
      const wanted = code("task", state.task);
      checks.push((at) => index.task.codes[at] === wanted);
    }
    if (state.video) {
      const wanted = code("cluster", state.video);
      checks.push((at) => index.cluster.codes[at] === wanted);
    }
    if (state.category) {
      const below = `${state.category}/`;
      const wanted = index.category.names.map(
        (name) => name === state.category || name.startsWith(below),
      );
      checks.push((at) => wanted[index.category.codes[at]]);
    }
    if (state.outcome) checks.push(outcomeCheck(index, state));
    if (state.flip && index.runs.length > 1) checks.push(flipCheck(index, state));
    if (state.disagree) {
      const wanted = new Set(index.runs.flatMap((run) => run.disagree));
      checks.push((at) => wanted.has(at));
    }
    if (state.q) {
      const words = wordsOf(state.q);
      checks.push((at) => words.every((word) => texts[at].includes(word)) || inFull.has(at));
    }
    return checks;
  }

  function outcomeCheck(index, state) {
    const runs = state.run === "" ? index.runs : [index.runs[state.run]].filter(Boolean);
    const wanted = index.outcomes.indexOf(state.outcome);
    const correct = index.outcomes.indexOf("correct");
    const matches = {
      other: (outcome) => outcome !== correct,
      missing: (outcome) => outcome === null,
    }[state.outcome] ?? ((outcome) => outcome === wanted);
    return (at) => runs.some((run) => matches(run.outcome[at]));
  }

  function flipCheck(index, state) {
    const [a, b] = pairOf(index, state);
    const wanted = state.flip === "differ" ? ["lost", "gained"] : [state.flip];
    return (at) => wanted.includes(flipOf(index, at, a, b));
  }

  function sort(index, state, found) {
    const [a, b] = pairOf(index, state);
    const most = (name) => (at) => {
      let highest = 0;
      for (const run of index.runs) if (run[name][at] > highest) highest = run[name][at];
      return -highest;
    };
    const key = {
      tokens: most("tokens"),
      seconds: most("seconds"),
      change: (at) => (index.runs[b].value[at] ?? 0) - (index.runs[a].value[at] ?? 0),
    }[state.sort];
    if (!key) return found;
    const keys = new Float64Array(index.id.length);
    for (const at of found) keys[at] = key(at);
    return found.sort((one, other) => keys[one] - keys[other] || one - other);
  }

  // Look for a query in whole texts and thoughts, block by block; calls `say` with the progress.
  async function searchFull(index, query, say, isStale) {
    const words = wordsOf(query);
    const found = new Set();
    for (let number = 0; number < index.blocks.length; number += 1) {
      const block = await videor1.load("items", number);
      if (isStale()) return null;
      block.forEach((item, offset) => {
        const parts = [item.question, item.prompt];
        for (const one of item.answers.flat()) parts.push(one.text, one.reasoning);
        const text = parts.filter(Boolean).join("\n").toLowerCase();
        if (words.every((word) => text.includes(word))) found.add(index.blocks[number] + offset);
      });
      say(number + 1, index.blocks.length);
    }
    return found;
  }

  return { apply, flipOf, pairOf, loadTexts, searchFull };
})();
