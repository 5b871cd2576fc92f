// The section Accuracy: accuracy against N, overall and in each category, and a table of gains over the majority vote.

const WAYS = { best_of_n: "Best-of-N", weighted_vote: "Weighted vote" };

const ESTIMATORS = {
  exact: "exact: over all subsets of N",
  paper: "paper: over random subsets",
  versaprm: "versaprm: over ten seeds, with their extremes",
  openprm: "openprm: as the mean of its draws",
};

const ALL = "all";

// Rows as objects.
function objects(columns, rows) {
  return rows.map((row) => Object.fromEntries(columns.map((column, place) => [column, row[place]])));
}

function distinct(values) {
  return [...new Set(values)];
}

function spoken(category) {
  return category.replaceAll("_", " ");
}

class Accuracy {
  constructor(root, data, address) {
    this.data = data;
    this.address = address;
    this.datasets = data.datasets.map((each) => ({
      ...each,
      accuracies: objects(data.accuracy_columns, each.accuracies),
      gains: objects(data.gain_columns, each.gains),
    }));
    this.controls = make("div", { class: "controls", "data-part": "controls" });
    this.onPaper = make("p", { class: "on-paper" });
    this.legend = make("p", { class: "chart-legend" });
    this.panels = make("div", { class: "panels", "data-part": "panels" });
    this.notes = make("div", { class: "faint notes" });
    this.tools = make("div", { class: "tools", "data-part": "tools" });
    this.gains = make("div", { "data-part": "gains" });
    this.searches = make("div", { "data-part": "searches" });
    root.append(
      make("p", { class: "lead" }, "How often the selected answer is right, in %, by the number of solutions N that it is selected from."),
      this.controls,
      this.onPaper,
      this.legend,
      this.panels,
      this.notes,
      this.datasets.length ? make("h3", {}, "Gain over the majority vote") : "",
      this.gains,
      this.tools,
      this.searches,
    );
    this.sorted = null;
    this.restore();
  }

  restore() {
    this.state = this.address.read();
    this.show();
  }

  choose(changes) {
    Object.assign(this.state, changes);
    for (const [key, value] of Object.entries(this.state)) if (value === "") delete this.state[key];
    this.address.write(this.state);
    this.show();
  }

  // What the state asks for, as far as there is such; and what else there is.
  resolve() {
    const pick = (key, possible, otherwise = possible[0]) => {
      const wanted = possible.find((each) => String(each) === this.state[key]);
      return wanted === undefined ? otherwise : wanted;
    };
    const several = (key, possible) => {
      const wanted = new Set(lists(this.state[key]));
      const found = possible.filter((each) => wanted.has(each));
      return found.length ? found : possible;
    };
    const dataset = this.datasets.find((each) => each.name === this.state.dataset) ?? this.datasets[0];
    const estimators = distinct(dataset.accuracies.map((row) => row.estimator));
    const estimator = pick("estimator", estimators);
    const rows = dataset.accuracies.filter((row) => row.estimator === estimator);
    const ways = Object.keys(WAYS).filter((each) => rows.some((row) => row.selection === each));
    const sizes = distinct(rows.map((row) => row.n)).sort((one, other) => one - other);
    const critiques = distinct(rows.map((row) => row.n_critiques).filter((each) => each != null)).sort((one, other) => one - other);
    const aggregations = distinct(dataset.scorers.map((each) => each.aggregation));
    const perModel = distinct(dataset.scorers.map((each) => each.model)).length;
    const hasSeveral = dataset.scorers.length > perModel;
    const aggregation = hasSeveral ? pick("aggregation", [ALL, ...aggregations]) : ALL;
    const scorers = dataset.scorers.filter((each) => aggregation === ALL || each.aggregation === aggregation);
    const categories = dataset.categories.filter((each) => rows.some((row) => row.category === each));
    const labels = scorers.map((each) => each.label);
    return {
      ...{ dataset, estimators, estimator, rows, ways, sizes, critiques, scorers, categories, labels },
      aggregations: hasSeveral ? aggregations : [],
      aggregation,
      way: pick("selection", ways),
      n: pick("n", sizes, sizes.at(-1)),
      m: pick("m", [ALL, ...critiques]),
      models: several("models", labels),
      shownCategories: several("categories", categories),
    };
  }

  show() {
    this.showSearches();
    if (!this.datasets.length) {
      this.panels.replaceChildren(make("p", {}, "There are no accuracies of selections."));
      return;
    }
    const view = this.resolve();
    this.showControls(view);
    this.onPaper.replaceChildren(...choiceInWords(view));
    const rows = this.shownRows(view);
    this.showPanels(view, rows);
    this.showGains(view, rows);
    this.showTools(view, rows);
  }

  showSearches() {
    const { searches } = this.data;
    if (!searches.datasets.length) return;
    const place = [...this.searches.querySelectorAll("select")].indexOf(document.activeElement);
    this.searches.replaceChildren(...searchesOf(searches, this.state, (changes) => this.choose(changes)));
    if (place >= 0) [...this.searches.querySelectorAll("select")][place]?.focus();
  }

  showControls(view) {
    const place = [...this.controls.querySelectorAll("select, input, summary")].indexOf(document.activeElement);
    const isOpen = this.controls.querySelector("details")?.open ?? view.shownCategories.length < view.categories.length;
    const set = (key) => (value) => this.choose({ [key]: value });
    const setSeveral = (key, possible) => (values) =>
      this.choose({ [key]: values.length === possible.length ? "" : listed(values) });
    const parts = [];
    if (this.datasets.length > 1) parts.push(choice("dataset", "Data set", this.datasets.map((each) => [each.name, each.name]), view.dataset.name, set("dataset")));
    if (view.estimators.length > 1) parts.push(choice("estimator", "Estimator", view.estimators.map((each) => [each, ESTIMATORS[each] ?? each]), view.estimator, set("estimator")));
    if (view.ways.length) parts.push(choice("selection", "Selection", view.ways.map((each) => [each, WAYS[each]]), view.way, set("selection")));
    if (view.aggregations.length) {
      const pairs = [[ALL, "all"], ...view.aggregations.map((each) => [each, each])];
      parts.push(choice("aggregation", "Aggregation", pairs, view.aggregation, set("aggregation")));
    }
    if (view.critiques.length) {
      const pairs = [[ALL, "all"], ...view.critiques.map((each) => [each, String(each)])];
      parts.push(choice("m", "Critiques per solution, M", pairs, view.m, set("m")));
    }
    parts.push(choice("n", "N in the table", view.sizes.map((each) => [each, String(each)]), view.n, set("n")));
    const models = view.scorers.map((each) => ({ value: each.label, label: each.label, style: each, isChecked: view.models.includes(each.label) }));
    if (models.length > 1) parts.push(checks("models", "Reward models", models, setSeveral("models", view.labels)));
    if (view.categories.length > 1) {
      const items = view.categories.map((each) => ({ value: each, label: spoken(each), isChecked: view.shownCategories.includes(each) }));
      parts.push(
        make(
          "details",
          { class: "categories", open: isOpen },
          make("summary", {}, `Categories: ${view.shownCategories.length} of ${view.categories.length}`),
          checks("categories", "Categories", items, setSeveral("categories", view.categories)),
        ),
      );
    }
    this.controls.replaceChildren(...parts);
    // The controls are new; the keyboard stays where it was.
    if (place >= 0) [...this.controls.querySelectorAll("select, input, summary")][place]?.focus();
  }

  shownRows(view) {
    const withFewer = new Set(view.rows.filter((row) => row.n_critiques != null).map((row) => row.scorer));
    return view.rows.filter((row) => {
      if (!view.shownCategories.includes(row.category)) return false;
      if (row.scorer == null) return row.n_critiques == null;
      if (row.selection !== view.way || !view.models.includes(view.dataset.scorers[row.scorer].label)) return false;
      if (!view.scorers.includes(view.dataset.scorers[row.scorer])) return false;
      // Models without critiques are the same whatever their number.
      const wanted = view.m !== ALL && withFewer.has(row.scorer) ? view.m : null;
      return row.n_critiques === wanted;
    });
  }

  styleOf(view, row) {
    return row.scorer == null ? this.data.votes[row.selection] : view.dataset.scorers[row.scorer];
  }

  showPanels(view, rows) {
    const ends = rows.flatMap((row) => [row.accuracy, row.low, row.high]).filter((each) => each != null);
    const range = [Math.max(0, 10 * Math.floor(Math.min(...ends) / 10)), Math.min(100, 10 * Math.ceil(Math.max(...ends) / 10))];
    const isSeeds = view.estimator === "versaprm";
    tip.hide();
    const panels = view.shownCategories.map((category) => {
      const own = rows.filter((row) => row.category === category);
      const series = Map.groupBy(own, (row) => `${row.selection} ${row.scorer}`);
      const lines = [...series.values()].map((points) => ({
        style: this.styleOf(view, points[0]),
        label: this.styleOf(view, points[0]).label,
        points: points
          .map((row) => ({ n: row.n, value: row.accuracy, low: row.low, high: row.high, words: wordsOf(row, isSeeds) }))
          .sort((one, other) => one.n - other.n),
      }));
      const label = `Accuracy against N, ${spoken(category)}. Arrow keys tell the numbers.`;
      const isMain = category === view.shownCategories[0] && view.shownCategories.length > 1;
      const chart = new LineChart(lines, { range, sizes: view.sizes, height: isMain ? 320 : 190, label: plain(label), about: questionsOf(own) });
      return make(
        "figure",
        { class: isMain ? "panel-chart main" : "panel-chart", "data-category": category },
        make("figcaption", {}, name(spoken(category)), " ", make("span", { class: "faint" }, questionsOf(own))),
        chart.element,
      );
    });
    this.panels.replaceChildren(...panels);
    const shown = new Map(rows.map((row) => [this.styleOf(view, row).label, this.styleOf(view, row)]));
    this.legend.replaceChildren(...[...shown].map(([label, style]) => make("span", {}, mark(style), " ", name(label))));
    const meanings = distinct(rows.map((row) => row.note).filter(Boolean));
    const said = [];
    if (isSeeds) said.push("Bands are from the lowest to the highest of ten seeds: no confidence interval.");
    else if (rows.some((row) => row.low != null)) said.push("Bands are 95 % intervals.");
    said.push(...meanings.map((note) => `${sentenceOf(this.data.notes[note] ?? note)}`));
    this.notes.replaceChildren(make("p", {}, said.join(" ")));
  }

  gainRows(view) {
    const { dataset } = view;
    const accuracies = new Map(
      dataset.accuracies
        .filter((row) => row.estimator === "exact" && row.n_critiques == null && row.n === view.n && row.selection === view.way)
        .map((row) => [`${row.category} ${row.scorer}`, row]),
    );
    return dataset.gains
      .filter((row) => row.n === view.n && row.selection === view.way && view.shownCategories.includes(row.category))
      .filter((row) => view.models.includes(dataset.scorers[row.scorer].label))
      .map((row) => ({ ...row, style: dataset.scorers[row.scorer], own: accuracies.get(`${row.category} ${row.scorer}`) ?? {} }));
  }

  showGains(view) {
    const rows = this.gainRows(view);
    if (!rows.length) {
      const why = view.n === 1 ? "With N = 1 there is nothing to select: all methods are the same." : "There are no comparisons for this choice.";
      this.gains.replaceChildren(make("p", { class: "faint" }, why));
      return;
    }
    const ends = rows.flatMap((row) => [row.difference, row.low, row.high]).filter((each) => each != null);
    const margin = 0.06 * (Math.max(0, ...ends) - Math.min(0, ...ends)) || 1;
    const range = [Math.min(0, ...ends) - margin, Math.max(0, ...ends) + margin];
    const columns = [
      { title: "reward model", value: (row) => row.style.label, shown: (row) => make("span", {}, mark(row.style), " ", name(row.style.label)) },
      { title: "category", value: (row) => spoken(row.category), shown: (row) => name(spoken(row.category)) },
      { title: "accuracy", value: (row) => row.own.accuracy, shown: (row) => fixed(row.own.accuracy), isNumber: true },
      { title: "points", value: (row) => row.difference, shown: (row) => signed(row.difference), isNumber: true },
      {
        title: "gain and its 95 % interval",
        value: (row) => row.difference,
        shown: (row) => rangePicture({ value: row.difference, low: row.low, high: row.high }, range, row.style, `${signed(row.difference)} ${interval(row.low, row.high)}`),
      },
      { title: "interval", value: (row) => row.low, shown: (row) => interval(row.low, row.high), isNumber: true },
      { title: "corrected p", value: (row) => row.p_holm, shown: (row) => pValue(row.p_holm), isNumber: true },
      { title: "family", value: (row) => row.family },
    ];
    const caption = `${WAYS[view.way]}, N = ${view.n}, minus the majority vote of ${view.n}, in points, with the exact estimator`;
    const table = tableOf(caption, columns, rows, { sorted: this.sorted, onSort: (order) => (this.sorted = order) });
    table.classList.add("gains");
    this.gains.replaceChildren(
      table,
      make(
        "p",
        { class: "faint" },
        "With the exact estimator and all critiques, whatever the charts show. Intervals are paired over questions. p-values are corrected within a family: the primary one is Overall at the largest N, for conclusions; " +
          "the exploratory ones are hints.",
      ),
    );
  }

  showTools(view, rows) {
    const heads = ["reward model", "category", "accuracy", "gain", "95 % interval", "corrected p"];
    const cells = () =>
      this.gainRows(view).map((row) => [
        row.style.label,
        spoken(row.category),
        fixed(row.own.accuracy),
        signed(row.difference),
        interval(row.low, row.high),
        pValue(row.p_holm),
      ]);
    this.tools.replaceChildren(
      downloadButton("Download the charts’ numbers (CSV)", "accuracy.csv", "text/csv", () => accuracyCsv(view, rows)),
      downloadButton("Download the table (CSV)", "gains.csv", "text/csv", () => gainsCsv(view, this.gainRows(view))),
      copyButton("Copy the table as Markdown", () => markdownOf(heads, cells(), 2)),
      copyButton("Copy the table as LaTeX", () => latexOf(heads, cells(), 2)),
    );
  }
}

// What the controls say, for paper, which has none.
function choiceInWords(view) {
  const ways = [WAYS[view.way], view.estimators.length > 1 ? `estimator ${view.estimator}` : null, view.aggregations.length ? `aggregation: ${view.aggregation}` : null, view.critiques.length ? `critiques per solution: ${view.m}` : null];
  return ["On ", name(view.dataset.name), ways.filter(Boolean).map((words) => `; ${words}`).join(""), "."];
}

// Names may have any character, so lists of them in the address are JSON.
function listed(values) {
  return JSON.stringify(values);
}

function lists(text) {
  try {
    const found = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function wordsOf(row, isSeeds) {
  const spread = row.low != null ? `${isSeeds ? "seeds " : ""}${interval(row.low, row.high)}` : row.std != null ? `± ${fixed(row.std, 2)}` : "";
  return [fixed(row.accuracy), spread];
}

function questionsOf(rows) {
  const counts = distinct(rows.map((row) => row.n_questions).filter((each) => each != null));
  return counts.length === 1 ? plural(counts[0], "question") : "";
}

function accuracyCsv(view, rows) {
  const heads = ["dataset", "category", "estimator", "selection", "model", "aggregation", "n", "n_critiques", "accuracy", "low", "high", "std", "n_questions"];
  return csvOf(
    heads,
    rows.map((row) => {
      const scorer = row.scorer == null ? {} : view.dataset.scorers[row.scorer];
      return [
        ...[view.dataset.name, row.category, row.estimator, row.selection, scorer.model, scorer.aggregation],
        ...[row.n, row.n_critiques, row.accuracy, row.low, row.high, row.std, row.n_questions],
      ];
    }),
  );
}

function gainsCsv(view, rows) {
  const heads = ["dataset", "category", "selection", "model", "aggregation", "n", "accuracy", "difference", "difference_low", "difference_high", "p_holm", "family"];
  return csvOf(
    heads,
    rows.map((row) => [
      ...[view.dataset.name, row.category, row.selection, row.style.model, row.style.aggregation, row.n],
      ...[row.own.accuracy, row.difference, row.low, row.high, row.p_holm, row.family],
    ]),
  );
}

sections.accuracy = (root, data, address) => new Accuracy(root, data, address);
