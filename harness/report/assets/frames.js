"use strict";
// Shows the frames of an item: the chosen one large, a slider, and all of them as a strip.
videor1.frames = (() => {
  const { el, svg } = videor1;
  const BIG = [420, 270];
  const THUMB = 60;
  const SMALL = 160;
  const MOST_NAMES = 3;
  const PLAY_MS = 400;

  // Return one cell of a video's picture, scaled to a size.
  function picture(clip, cell, width, height, label) {
    const [wide, high] = clip.cell;
    const x = (cell % clip.columns) * wide;
    const y = Math.floor(cell / clip.columns) * high;
    const rows = Math.ceil(clip.count / clip.columns);
    return svg("svg", {
      viewBox: `${x} ${y} ${wide} ${high}`, width, height, role: "img", "aria-label": label,
      class: Math.max(wide, high) <= SMALL ? "pixels" : null, preserveAspectRatio: "none",
    }, svg("image", {
      href: `frames/${clip.sprite}`, width: wide * clip.columns, height: high * rows,
    }));
  }

  function scaled([wide, high], [mostWide, mostHigh]) {
    const factor = Math.min(mostWide / wide, mostHigh / high);
    return [Math.round(wide * factor), Math.round(high * factor)];
  }

  function seconds(time) {
    return time === undefined ? "no time" : `${time.toFixed(2)} s`;
  }

  function caption(clip, place) {
    return `frame ${clip.indices[place]}, ${seconds(clip.times[place])}`;
  }

  // Build the viewer of one clip.
  function makeClip(clip) {
    const box = el("div", { class: "clip" });
    if (clip.problem) {
      box.append(el("p", { class: "problem" }, `No frames: ${clip.problem}.`), factsOf(clip));
      return box;
    }
    const [width, height] = scaled(clip.cell, BIG);
    const big = el("div", { class: "big" });
    const told = el("div", { class: "told" });
    const slider = el("input", {
      type: "range", min: 0, max: clip.cells.length - 1, value: 0, step: 1,
      "aria-label": "Frame", disabled: clip.cells.length === 1,
    });
    const strip = el("ol", { class: "strip" });
    const thumbs = clip.cells.map((cell, place) => {
      const [wide, high] = scaled(clip.cell, [THUMB * 2, THUMB]);
      const button = el("button", {
        type: "button", "aria-label": caption(clip, place), click: () => {
          stop();
          choose(place);
        },
      }, picture(clip, cell, wide, high, ""), el("span", {}, seconds(clip.times[place])));
      button.querySelector("svg").setAttribute("aria-hidden", "true");
      strip.append(el("li", {}, button));
      return button;
    });

    function choose(place) {
      slider.value = place;
      slider.setAttribute("aria-valuetext", caption(clip, place));
      big.replaceChildren(picture(clip, clip.cells[place], width, height, caption(clip, place)));
      told.replaceChildren(el("strong", {}, seconds(clip.times[place])),
        `frame ${clip.indices[place]} of the file, shown as ${place + 1} of ${clip.cells.length}`);
      thumbs.forEach((thumb, at) => thumb.setAttribute("aria-pressed", String(at === place)));
    }

    // Show one frame after another, until the last one, a choice by hand, or another item.
    let timer = 0;
    const play = el("button", { type: "button", class: "play", click: () => {
      if (timer) return stop();
      if (Number(slider.value) === clip.cells.length - 1) choose(0);
      play.textContent = "Stop";
      timer = setInterval(() => {
        const next = Number(slider.value) + 1;
        if (next >= clip.cells.length || !box.isConnected) stop();
        else choose(next);
      }, PLAY_MS);
    } }, "Play");

    function stop() {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    }

    slider.addEventListener("input", () => {
      stop();
      choose(Number(slider.value));
    });
    box.step = (by) => {
      stop();
      const place = Number(slider.value) + by;
      if (place >= 0 && place < clip.cells.length) choose(place);
    };
    box.append(el("div", { class: "stage" }, big,
      el("div", {}, told, slider, clip.cells.length > 1 ? play : null, factsOf(clip))), strip);
    choose(0);
    return box;
  }

  function factsOf(clip) {
    const facts = [["file", clip.path], ["part", partOf(clip)],
      ["size", clip.size && `${clip.size[0]} × ${clip.size[1]} pixels as the model saw it`],
      ["frames", clip.problem ? String(clip.indices.length) : null]];
    return el("dl", {}, facts.filter((fact) => fact[1]).flatMap(([name, value]) =>
      [el("dt", {}, name), el("dd", {}, value)]));
  }

  function partOf(clip) {
    if (clip.start === null && clip.end === null) return null;
    if (clip.start === undefined) return null;
    return `${clip.start ?? 0} s to ${clip.end === null ? "the end" : `${clip.end} s`}`;
  }

  // Name an order of frames by the runs that saw it.
  function nameOf(users, variant) {
    if (users.length <= MOST_NAMES) return users.join(", ");
    return `${users[0]} and ${users.length - 1} others (${variant})`;
  }

  // Build the viewer of an item: one tab per order of frames that its runs saw.
  function make(item, labels) {
    const box = el("section", { class: "frames", "aria-label": "Frames" });
    const users = item.frames.map((_, number) => labels.filter((label, run) =>
      item.answers[run].some((one) => one.frames === number)));
    const shown = el("div");
    const tabs = item.frames.map((view, number) => el("button", {
      type: "button", click: () => choose(number),
      title: users[number].join(", "),
    }, nameOf(users[number], view.variant)));
    let clips = [];

    function choose(number) {
      const view = item.frames[number];
      tabs.forEach((tab, at) => tab.setAttribute("aria-pressed", String(at === number)));
      clips = view.clips.map(makeClip);
      shown.replaceChildren(...(clips.length ? clips
        : [el("p", { class: "problem" }, "No frames were shown: the question was asked without them.")]));
    }

    if (item.frames.length > 1) box.append(el("div", { class: "tabs" }, tabs));
    box.append(shown);
    box.step = (by) => clips.forEach((clip) => clip.step?.(by));
    if (item.frames.length) choose(0);
    else shown.append(el("p", { class: "problem" }, "No run has an answer to this question."));
    return box;
  }

  return { make };
})();
