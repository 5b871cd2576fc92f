// Tables that can be sorted, and their rows as CSV, Markdown and LaTeX.
//
// A column is {title, value(row), shown(row), isNumber}: `value` is what it is sorted by and what a file has, `shown` a
// node or a text.

const MISSING = "–";

// Rounded as Python does, so that a number is the same in a sentence and in a table: halves go to the even digit. Only
// an odd multiple of a power of two is exactly a half.
function fixed(value, digits = 1) {
  if (value == null) return MISSING;
  const isHalf = Math.abs(value * 2 ** (digits + 1)) % 2 === 1;
  const below = Math.floor(Math.abs(value) * 10 ** digits);
  const rounded = isHalf ? (Math.sign(value) * (below + (below % 2))) / 10 ** digits : value;
  const text = rounded.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

function signed(value, digits = 1) {
  const text = fixed(value, digits);
  return value == null || text.startsWith("−") ? text : `+${text}`;
}

function interval(low, high, digits = 1) {
  return low == null ? "" : `[${fixed(low, digits)}, ${fixed(high, digits)}]`;
}

function pValue(value) {
  if (value == null) return MISSING;
  return value < 0.001 ? "< 0.001" : String(Number(value.toPrecision(2)));
}

function counted(value) {
  return value == null ? MISSING : value.toLocaleString("en");
}

// Missing values come last, whichever way.
function compare(one, other, isDown) {
  if (one == null || other == null) return (one == null) - (other == null);
  const order = typeof one === "number" ? one - other : String(one).localeCompare(String(other), "en", { numeric: true });
  return isDown ? -order : order;
}

function cellOf(column, row, isFirst) {
  const shown = (column.shown ?? column.value)(row);
  const cell = make(isFirst ? "th" : "td", { class: column.isNumber ? "number" : null, scope: isFirst ? "row" : null });
  cell.append(shown instanceof Node ? shown : shown == null ? MISSING : typeof shown === "number" ? counted(shown) : said(shown));
  return cell;
}

// A table in a box of its own, in which it scrolls; `sorted` is {place, isDown} of the column to sort by at first.
function tableOf(caption, columns, rows, { sortable = true, sorted = null, onSort = () => {} } = {}) {
  const body = make("tbody");
  const heads = columns.map((column, place) => {
    const head = make("th", { scope: "col", class: column.isNumber ? "number" : null, title: column.help });
    head.append(sortable ? make("button", { type: "button", onclick: () => sortBy(place) }, column.title) : column.title);
    return head;
  });
  let order = sorted;
  const fill = () => {
    const column = order && columns[order.place];
    const shown = column ? rows.toSorted((one, other) => compare(column.value(one), column.value(other), order.isDown)) : rows;
    body.replaceChildren(...shown.map((row) => make("tr", {}, ...columns.map((each, place) => cellOf(each, row, place === 0)))));
    heads.forEach((head, place) => {
      if (order?.place === place) head.setAttribute("aria-sort", order.isDown ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };
  const sortBy = (place) => {
    const isDown = order?.place === place ? !order.isDown : Boolean(columns[place].isNumber);
    order = { place, isDown };
    fill();
    onSort(order);
  };
  fill();
  return make(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    make("table", {}, make("caption", {}, caption), make("thead", {}, make("tr", {}, ...heads)), body),
  );
}

// A cell of a CSV file; what a spreadsheet would take for a formula is kept from being one.
function csvCell(value) {
  if (value == null) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvOf(heads, rows) {
  return [heads, ...rows].map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}

function markdownOf(heads, rows, numbersFrom) {
  const escaped = (text) => plain(text).replace(/[\\|`*_<>[\]]/g, "\\$&").replaceAll("\n", " ");
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const rule = heads.map((_, place) => (place < numbersFrom ? "---" : "---:"));
  return [line(heads), line(rule), ...rows.map((row) => line(row.map(escaped)))].join("");
}

const LATEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "$<$", ">": "$>$", "−": "$-$", "–": "--" };

function latexOf(heads, rows, numbersFrom) {
  // A bracket at the start of a row would be an argument of the line break before it.
  const escaped = (text) =>
    plain(text).replace(/[\\~^<>−–]|[&%$#_{}]|[[\]*]/g, (found) => LATEX[found] ?? ("[]*".includes(found) ? `{${found}}` : `\\${found}`));
  const line = (cells) => `${cells.map(escaped).join(" & ")} \\\\\n`;
  const columns = heads.map((_, place) => (place < numbersFrom ? "l" : "r")).join("");
  return [`\\begin{tabular}{${columns}}\n\\toprule\n`, line(heads), "\\midrule\n", ...rows.map(line), "\\bottomrule\n\\end{tabular}\n"].join("");
}

// A button that saves a text as a file.
function downloadButton(words, fileName, type, textOf) {
  const save = () => {
    const address = URL.createObjectURL(new Blob([textOf()], { type }));
    make("a", { href: address, download: fileName }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  };
  return make("button", { type: "button", onclick: save }, words);
}

// A button that copies a text, and says whether it could.
function copyButton(words, textOf) {
  const button = make("button", { type: "button" }, words);
  button.addEventListener("click", async () => {
    button.textContent = (await copied(textOf())) ? "Copied" : "Copying is not allowed here";
    setTimeout(() => (button.textContent = words), 1500);
  });
  return button;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // The clipboard may be refused to a page that is opened from a file; this way still works there.
    const area = make("textarea", { class: "outside", readonly: true });
    area.value = text;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}

// `key` is what the page's address calls it.
function choice(key, words, pairs, chosen, changed) {
  const select = make("select", { "data-control": key, onchange: () => changed(select.value) });
  for (const [value, text] of pairs) {
    const option = make("option", { value });
    option.textContent = plain(text);
    option.selected = String(value) === String(chosen);
    select.append(option);
  }
  return make("label", { class: "choice" }, make("span", {}, words), select);
}

function checks(key, words, items, changed) {
  const boxes = items.map(({ value, isChecked }) => {
    const box = make("input", { type: "checkbox", value, onchange: () => changed(boxes.filter((each) => each.checked).map((each) => each.value)) });
    box.checked = isChecked;
    return box;
  });
  const labels = items.map(({ label, style }, place) =>
    make("label", {}, boxes[place], " ", style ? mark(style) : null, style ? " " : null, name(label)),
  );
  return make("fieldset", { class: "checks", "data-control": key }, make("legend", {}, words), ...labels);
}
