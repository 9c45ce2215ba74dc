"use strict";
// Shows what a run answered: outcome, the answer that was read, the text, the thought, figures.
videor1.answers = (() => {
  const { el, words, thousands } = videor1;
  const LONG = 20000;

  // Show a text, cut where it is very long, with a button for the rest.
  function longText(text) {
    const box = el("pre", { tabindex: "0" }, text.slice(0, LONG));
    if (text.length <= LONG) return [box];
    const button = el("button", { type: "button", class: "more", click: () => {
      box.textContent = text;
      button.remove();
    } }, `Show all ${thousands(text.length)} characters`);
    return [box, button];
  }

  function figuresOf(one) {
    const facts = [];
    if (one.prompt_tokens) facts.push(`${thousands(one.prompt_tokens)} prompt tokens`);
    if (one.output_tokens) facts.push(`${thousands(one.output_tokens)} generated`);
    if (one.thought_tokens) facts.push(`${thousands(one.thought_tokens)} of them thought`);
    if (one.seconds) facts.push(`${one.seconds.toFixed(2)} s`);
    if (one.finish) facts.push(`ended by ${one.finish}`);
    return facts.concat(one.notes).join(" · ");
  }

  function readOf(one) {
    if (one.answer === null) return el("p", { class: "read dim" }, `No answer was found (${one.scorer}).`);
    return el("p", { class: "read" }, "Answer read: ", el("b", {}, one.answer),
      el("span", { class: "dim" }, ` by ${one.scorer}${one.rule ? `, rule ${one.rule}` : ""}`));
  }

  function othersOf(one) {
    if (!one.others.length) return null;
    return el("p", { class: "others" }, "Other scorers: ", one.others.map(
      ([name, value, outcome, answer, rule], at) => el("span",
        { class: value === one.value ? null : "differs" },
        `${at ? "; " : ""}${name}: ${words(outcome)}${value === null ? "" : ` (${value})`}` +
        `${answer === null ? "" : `, read ${answer}`}${rule ? `, rule ${rule}` : ""}`)));
  }

  // Show what this run asked where it depends on the frames: subtitles before or between them.
  function askedOf(one) {
    if (!one.asked.length) return null;
    const shown = (count) => (count ? `[${count === 1 ? "a frame" : `${count} frames`}]\n` : "");
    const text = one.asked.map(([frames, words]) => shown(frames) + words).join("\n");
    return el("details", {}, el("summary", {}, "What was asked, with its frames"), longText(text));
  }

  function makeOne(one, repeats, name) {
    const head = el("header", {}, name,
      el("span", { class: `badge b-${one.outcome}` }, words(one.outcome)),
      repeats > 1 ? el("span", { class: "dim small" }, `repeat ${one.repeat + 1} of ${repeats}`) : null,
      el("span", { class: "value" }, one.value === null ? "" : `score ${Number(one.value.toFixed(3))}`));
    if (one.failure) {
      const [stage, error, message] = one.failure;
      return [head, el("p", { class: "failure" }, `Failed at ${stage}: ${error}: ${message}`)];
    }
    const ended = { open: " (not finished)", limit: " (cut at the limit)" }[one.thought_end] ?? "";
    return [head, readOf(one),
      one.reasoning ? el("details", {}, el("summary", {}, `Reasoning${ended}`), longText(one.reasoning)) : null,
      ...(one.text ? longText(one.text) : [el("p", { class: "dim small" }, "The text is empty.")]),
      othersOf(one), askedOf(one), el("p", { class: "meta" }, figuresOf(one))];
  }

  // Say what this run asked otherwise than the question shown above.
  function ownOf(own) {
    if (!own) return null;
    const parts = [];
    if ("question" in own) parts.push(`Asked as: ${own.question}`);
    if ("options" in own) {
      parts.push(`Options were asked as ${own.options.map((option, number) =>
        `${videor1.letter(number)}. ${option}`).join("  ")}`);
    }
    if ("gold" in own) parts.push(`gold answer ${own.gold}`);
    return parts.length ? el("p", { class: "others" }, parts.join("; ")) : null;
  }

  function makeRun(answers, label, number, own) {
    const name = el("span", { class: `run r${number % 6}` }, label);
    const box = el("section", { class: "answer", "aria-label": `Answer of ${label}` });
    if (!answers.length) {
      box.append(el("header", {}, name, el("span", { class: "badge b-missing" }, "no record")));
    }
    answers.forEach((one, at) => box.append(
      ...makeOne(one, answers.length, at ? null : name).filter(Boolean)));
    box.append(...[ownOf(own)].filter(Boolean));
    return box;
  }

  // Show every run's answers side by side.
  function make(item, labels) {
    return el("div", { class: labels.length > 1 ? "answers" : "answers single" },
      item.answers.map((answers, run) => makeRun(answers, labels[run], run, item.own[run])));
  }

  return { make, longText };
})();
