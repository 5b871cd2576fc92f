// The section Data and ledger: what there was, what was left out and why, and lengths. Totals, or each category.

sections.ledger = (root, data, address) => {
  if (data.warnings.length) root.append(warningsOf(data.warnings));
  if (data.complete) root.append(make("p", {}, data.complete));
  const box = make("input", { type: "checkbox" });
  const tables = make("div");
  const show = () => {
    tables.replaceChildren(...data.tables.map((table) => countsOf(table, box.checked)));
    address.write(box.checked ? { categories: "each" } : {});
  };
  box.addEventListener("change", show);
  const restore = () => {
    box.checked = address.read().categories === "each";
    show();
  };
  root.append(make("div", { class: "controls" }, make("label", {}, box, " Show categories")), tables);
  restore();
  return { restore };
};

function countsOf(table, isEach) {
  const place = table.columns.findIndex((column) => column.name === "category");
  const rows = table.rows.filter((row) => place < 0 || (row[place] == null) !== isEach);
  const columns = table.columns
    .map((column, own) => ({
      title: column.title,
      isNumber: column.is_number,
      value: (row) => row[own],
      shown: (row) => {
        if (row[own] == null) return MISSING;
        if (!column.is_number) return name(column.name === "category" ? row[own].replaceAll("_", " ") : row[own]);
        return column.name.startsWith("mean_") ? fixed(row[own]) : counted(row[own]);
      },
    }))
    .filter((_, own) => own !== place || isEach);
  return make(
    "section",
    { "data-view": table.view },
    make("h3", {}, table.title),
    make("p", { class: "faint" }, table.text),
    tableOf(table.title, columns, rows),
  );
}
