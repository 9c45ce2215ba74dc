"use strict";
// Shows one item: frames, question, options, answers, prompt, other questions about the video.
videor1.item = (() => {
  const { el, byId } = videor1;
  let viewer = null;
  let wanted = null;

  function blockOf(index, at) {
    let number = index.blocks.length - 1;
    while (index.blocks[number] > at) number -= 1;
    return number;
  }

  function optionsOf(item, labels) {
    if (!item.options.length) {
      return el("p", { class: "gold-answer" }, el("span", { class: "goldmark" }, "Gold answer: "), item.gold);
    }
    return el("ol", { class: "options" }, item.options.map((option, number) => {
      const isGold = number === item.gold_option;
      const who = labels.map((label, run) => item.answers[run].some((one) => one.chosen === number)
        ? el("span", { class: `run r${run % 6}` }, labels.length > 1 ? label : "chosen") : null);
      return el("li", { class: isGold ? "gold" : null }, el("span", { class: "letter" }, videor1.letter(number)),
        el("span", {}, option),
        el("span", { class: "who" }, isGold ? el("span", { class: "goldmark" }, "gold") : null, who));
    }), item.gold_option !== null ? null
      : el("li", { class: "gold" }, el("span"), el("span", {}, `Gold answer: ${item.gold}`)));
  }

  function askedOf(item, labels) {
    if (item.prompt === null) return [];
    const others = item.own.map((own, run) => own && ["prompt", "system", "before", "prefill"]
      .some((name) => name in own) ? promptOf(`The prompt of ${labels[run]}`, { ...item, ...own }) : null);
    return [promptOf("The prompt as it was sent", item), ...others].filter(Boolean);
  }

  function promptOf(title, asked) {
    const parts = [["System prompt", asked.system], ["Before the media", asked.before.join("\n")],
      ["Prompt", asked.prompt], ["Start of the answer that was given", asked.prefill]];
    return el("details", { class: "asked" }, el("summary", {}, title),
      parts.filter((part) => part[1]).map(([name, text]) =>
        [el("h3", {}, name), ...videor1.answers.longText(text)]).flat());
  }

  function siblingsOf(index, state, at) {
    const [task, video] = [index.task.codes[at], index.cluster.codes[at]];
    const others = [];
    for (let other = 0; other < index.id.length; other += 1) {
      if (other !== at && index.task.codes[other] === task && index.cluster.codes[other] === video) {
        others.push(other);
      }
    }
    if (!others.length) return [];
    const name = index.cluster.names[video];
    const all = videor1.state.link({
      ...state, ...videor1.state.without(videor1.state.FILTERS), video: name,
      task: index.task.names[task], item: state.item,
    });
    return [el("h3", {}, `Other questions about this video `,
      el("a", { href: all }, `list all ${others.length + 1}`)),
    el("ul", { class: "siblings" }, others.slice(0, 12).map((other) => el("li", {}, el("a", {
      href: videor1.state.link({ ...state, item: index.id[other] }),
    }, el("span", { class: "q" }, index.question[other] ?? index.id[other]), videor1.list.marks(other)))))];
  }

  function navigationOf(state, place) {
    const count = videor1.list.count();
    const step = (by) => {
      const next = videor1.list.neighbour(by);
      return el("button", {
        type: "button", disabled: place < 0 || next === null, "aria-label": by < 0 ? "Previous item" : "Next item",
        click: () => videor1.state.go({ item: next }),
      }, by < 0 ? "←" : "→");
    };
    const where = place < 0 ? "not in the filtered list" : `${videor1.thousands(place + 1)} of ${videor1.thousands(count)}`;
    return el("nav", { class: "item-nav", "aria-label": "Items" }, el("span", { class: "place" }, where),
      el("a", { class: "small", href: videor1.state.link({ view: "items", item: state.item }) }, "Link"),
      step(-1), step(1),
      el("button", { type: "button", "aria-label": "Close the item", click: close }, "✕"));
  }

  function close() {
    videor1.list.focusLater(videor1.state.read().item);
    videor1.state.go({ item: "" });
  }

  // Show the item of the state; its block of texts is loaded first.
  async function show(index, state) {
    const box = byId("item");
    byId("no-item").hidden = Boolean(state.item);
    box.hidden = !state.item;
    if (!state.item) {
      wanted = viewer = null;
      return;
    }
    const at = index.id.indexOf(state.item);
    const signature = videor1.state.link(state);
    const isSame = wanted === signature;
    wanted = signature;
    if (at < 0) {
      box.replaceChildren(el("p", {}, `The report has no item ${state.item}.`));
      return;
    }
    if (isSame) return;
    try {
      const number = blockOf(index, at);
      const block = await videor1.load("items", number);
      if (wanted === signature) draw(box, index, state, at, block[at - index.blocks[number]]);
    } catch (error) {
      box.replaceChildren(el("p", { class: "problem" }, error.message));
    }
  }

  function draw(box, index, state, at, item) {
    const labels = index.runs.map((run) => run.label);
    viewer = videor1.frames.make(item, labels);
    const about = [index.task.names[index.task.codes[at]], item.category, item.kind, `video ${item.cluster}`];
    box.replaceChildren(navigationOf(state, videor1.list.placeOf(state.item)), el("h2", {}, item.id),
      el("p", { class: "about" }, about.filter(Boolean).join(" · ")), viewer,
      item.question === null
        ? el("p", { class: "dim" }, "The run does not keep its questions (no samples.jsonl).")
        : el("p", { class: "question" }, item.question),
      optionsOf(item, labels), el("h3", {}, labels.length > 1 ? "Answers" : "Answer"),
      videor1.answers.make(item, labels), ...askedOf(item, labels),
      ...siblingsOf(index, state, at));
    box.scrollTop = 0;
  }

  return { show, close, step: (by) => viewer?.step(by) };
})();
