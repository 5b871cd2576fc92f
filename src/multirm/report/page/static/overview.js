// The section Overview: the answer for each data set, in sentences and numbers, and what ran.

const SELECTIONS = { best_of_n: "Best of", weighted_vote: "Weighted vote of" };

const VERDICTS = {
  better: "beats the vote",
  worse: "falls behind",
  not_shown: "not shown to differ",
  untested: "not tested",
};

sections.overview = (root, data) => {
  root.append(
    make(
      "p",
      { class: "lead" },
      "A language model answers each question several times. Which reward model, if any, selects a better answer than the majority vote?",
    ),
  );
  if (data.warnings.length) root.append(warningsOf(data.warnings));
  for (const dataset of data.datasets) root.append(partOf(dataset, data.notes));
  root.append(make("h3", {}, "What ran"), ranOf(data.datasets), modelsOf(data.datasets));
  root.append(make("h3", {}, "What is missing"));
  if (!data.absent.length) root.append(make("p", {}, "None of the tables of an evaluation is missing, and all questions are on this page."));
  else root.append(make("ul", {}, ...data.absent.map((each) => make("li", {}, ...withCode(plain(each))))));
  if (data.complete) root.append(make("p", {}, data.complete));
};

function partOf(dataset, notes) {
  const part = make("section", { "data-dataset": dataset.name });
  part.append(
    make("h3", {}, name(dataset.name)),
    make("p", { class: "faint" }, scopeOf(dataset)),
    ...dataset.sentences.map((sentence) => make("p", {}, said(typeset(sentence)))),
  );
  const selections = [...new Set(dataset.gains.map((row) => row.selection))];
  const ends = dataset.gains.flatMap((row) => [row.difference, row.difference_low, row.difference_high]).filter((each) => each != null);
  const range = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const margin = 0.06 * (range[1] - range[0]) || 1;
  for (const selection of selections) {
    const rows = dataset.gains.filter((row) => row.selection === selection);
    part.append(gainsOf(dataset, rows, [range[0] - margin, range[1] + margin]));
  }
  const meanings = new Set(dataset.gains.map((row) => row.note).filter(Boolean));
  for (const note of meanings) part.append(make("p", { class: "faint" }, sentenceOf(notes[note] ?? note)));
  if (dataset.accuracies.length) part.append(make("p", { class: "faint" }, withoutRewards(dataset)));
  return part;
}

// A real minus sign, and no line break inside `p = 0.06`.
function typeset(sentence) {
  return sentence.replace(/(?<=[ ([])-(?=\d)/g, "−").replace(/ ([=<]) /g, "\u00a0$1\u00a0");
}

function scopeOf(dataset) {
  const parts = [plural(dataset.n_questions ?? 0, "question")];
  const count = dataset.categories.length;
  parts.push(count === 1 ? "1 category" : `${dataset.is_macro ? "mean of" : "in"} ${count} categories`);
  return parts.join(", ");
}

function gainsOf(dataset, rows, range) {
  const words = `${SELECTIONS[rows[0].selection] ?? rows[0].selection} ${rows[0].n}`;
  const styleOf = (row) => dataset.scorers[row.scorer];
  const picture = (row) => {
    const { difference: value, difference_low: low, difference_high: high } = row;
    return rangePicture({ value, low, high }, range, styleOf(row), `${signed(value)} points ${interval(low, high)}`);
  };
  const columns = [
    { title: words, value: (row) => styleOf(row).label, shown: (row) => make("span", {}, mark(styleOf(row)), " ", name(styleOf(row).label)) },
    { title: "points", value: (row) => row.difference, shown: (row) => signed(row.difference), isNumber: true },
    { title: "against the majority vote", value: (row) => row.difference, shown: picture },
    { title: "95 % interval", value: (row) => row.difference_low, shown: (row) => interval(row.difference_low, row.difference_high), isNumber: true },
    { title: "corrected p", value: (row) => row.p_holm, shown: (row) => pValue(row.p_holm), isNumber: true },
    { title: "", value: (row) => row.verdict, shown: (row) => verdictOf(row.verdict) },
  ];
  const table = tableOf(`${words} on ${plain(dataset.name)}, against the majority vote of ${rows[0].n}`, columns, rows, { sortable: false });
  table.classList.add("gains");
  return table;
}

function verdictOf(verdict) {
  return make("span", { class: `verdict ${verdict}` }, VERDICTS[verdict] ?? verdict);
}

function withoutRewards(dataset) {
  const shown = (selection, n) => {
    const row = dataset.accuracies.find((each) => each.selection === selection && each.n === n);
    return row && `${fixed(row.accuracy)} ${interval(row.accuracy_low, row.accuracy_high)}`.trim();
  };
  const [first, last] = [dataset.sizes[0], dataset.sizes.at(-1)];
  const known = [
    [first === 1 ? "a single solution is right in" : null, shown("majority_vote", first)],
    [`the majority vote of ${last} in`, shown("majority_vote", last)],
    ["and some solution of them in", shown("pass", last)],
  ].filter(([words, value]) => words && value);
  return known.length ? `Without a reward model, ${known.map(([words, value]) => `${words} ${value} %`).join(", ")}.` : "";
}

function ranOf(datasets) {
  return tableOf(
    "Data sets",
    [
      { title: "data set", value: (row) => row.name, shown: (row) => name(row.name) },
      { title: "questions", value: (row) => row.n_questions, isNumber: true },
      { title: "categories", value: (row) => row.categories.length, isNumber: true },
      { title: "N", value: (row) => row.sizes.join(",\u00a0") },
      { title: "estimators", value: (row) => row.estimators.join(", ") },
    ],
    datasets,
    { sortable: false },
  );
}

function modelsOf(datasets) {
  const models = new Map(datasets.flatMap((dataset) => dataset.scorers.map((each) => [each.model, each])));
  const rows = [...models.values()].map((each) => ({
    ...each,
    aggregations: [...new Set(datasets.flatMap((d) => d.scorers.filter((own) => own.model === each.model).map((own) => own.aggregation)))],
  }));
  if (!rows.length) return make("p", {}, "No reward model was evaluated.");
  const columns = [
    { title: "reward model", value: (row) => row.model, shown: (row) => make("span", {}, mark(row), " ", name(row.model_label)) },
    { title: "kind", value: (row) => row.kind },
    { title: "backbone", value: (row) => row.backbone },
    { title: "trained on", value: (row) => row.learned_from?.join(", ") },
    { title: "training categories", value: (row) => row.training_categories?.length, isNumber: true },
    { title: "aggregation", value: (row) => row.aggregations.join(", ") },
  ];
  const known = columns.filter((column) => rows.some((row) => column.value(row) != null));
  return tableOf("Reward models", known, rows, { sortable: false });
}
