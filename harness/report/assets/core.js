"use strict";
// Loads data scripts and builds elements. Every text is set as text, never as HTML.
const videor1 = (() => {
  const NAME = /^data\/[a-z]+-[0-9]+\.js$/;
  const KEPT_BLOCKS = 12;
  const waiting = new Map();
  const promises = new Map();
  // A browser with trusted types loads scripts only by addresses that this function lets through.
  const trusted = window.trustedTypes
    ? window.trustedTypes.createPolicy("videor1", { createScriptURL: checkAddress })
    : { createScriptURL: checkAddress };

  function checkAddress(address) {
    if (!NAME.test(address)) throw new TypeError(`no data script: ${address}`);
    return address;
  }

  function receive(name, number, value) {
    const resolve = waiting.get(`${name}-${number}`);
    if (resolve) resolve(value);
  }

  // Return a promise of the value in data/NAME-NUMBER.js; the latest blocks are kept.
  function load(name, number = 0) {
    const key = `${name}-${number}`;
    const known = promises.get(key);
    if (known) {
      promises.delete(key);
      promises.set(key, known);
      return known;
    }
    const promise = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      waiting.set(key, resolve);
      script.addEventListener("load", () => script.remove());
      script.addEventListener("error", () => {
        promises.delete(key);
        reject(new Error(`data/${key}.js cannot be loaded; the folder of the report is not whole`));
      });
      script.src = trusted.createScriptURL(`data/${key}.js`);
      document.head.append(script);
    });
    promises.set(key, promise);
    if (name === "items") forgetOld();
    return promise;
  }

  function forgetOld() {
    const blocks = [...promises.keys()].filter((key) => key.startsWith("items-"));
    for (const key of blocks.slice(0, -KEPT_BLOCKS)) {
      promises.delete(key);
      waiting.delete(key);
    }
  }

  // Build an element: attributes by name, functions as listeners, texts and elements as children.
  function el(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
  }

  function svg(tag, attributes = {}, ...children) {
    return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  }

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(name, value);
      else if (value === true) element.setAttribute(name, "");
      else if (value !== null && value !== undefined && value !== false) {
        element.setAttribute(name, value);
      }
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  }

  const byId = (id) => document.getElementById(id);
  const words = (name) => name.replaceAll("_", " ");
  // Name the place of an option: A to Z, then its number.
  const letter = (place) => (place < 26 ? String.fromCharCode(65 + place) : String(place + 1));
  const thousands = (number) => number.toLocaleString("en-US");

  return { receive, load, el, svg, byId, words, letter, thousands };
})();
