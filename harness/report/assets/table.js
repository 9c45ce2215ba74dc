"use strict";
// Saves the items that the list shows as a CSV file.
videor1.table = (() => {
  const { el } = videor1;
  // First characters that make a spreadsheet compute a cell, as in harness/text/shown.py.
  const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

  function cell(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const safe = FORMULA.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  function make(index, positions) {
    const head = ["id", "benchmark", "category", "video", "question", "gold",
      ...index.runs.flatMap((run) => ["outcome", "value", "answer", "tokens"].map(
        (name) => `${run.label}: ${name}`))];
    const rows = positions.map((at) => [index.id[at], index.task.names[index.task.codes[at]],
      index.category.names[index.category.codes[at]], index.cluster.names[index.cluster.codes[at]],
      index.question[at], index.gold[at],
      ...index.runs.flatMap((run) => [index.outcomes[run.outcome[at]] ?? "missing", run.value[at],
        run.answer[at], run.tokens[at]])]);
    return [head, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  }

  function save(index, positions) {
    const address = URL.createObjectURL(new Blob([make(index, positions)], { type: "text/csv" }));
    el("a", { href: address, download: "items.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  return { make, save };
})();
