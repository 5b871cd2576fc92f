// Searches in the section Accuracy: how often each is right at what cost, and what it gains over best-of-N.

const METHODS = {
  best_of_n: "best-of-N",
  beam_search: "beam search",
  diverse_beam_search: "diverse beam search",
  rebase: "REBASE",
  particle_filtering: "particle filtering",
  mcts: "MCTS",
};

// `state` has texts of the address, `choose` changes it.
function searchesOf(data, state, choose) {
  const pick = (key, possible) => possible.find((each) => each === state[key]) ?? possible[0];
  const name = pick("searched", data.datasets.map((each) => each.name));
  const dataset = data.datasets.find((each) => each.name === name);
  const measure = pick("right", dataset.measures);
  const category = pick("within", dataset.categories);
  const rows = objects(data.columns, dataset.rows).filter((row) => row.measure === measure && row.category === category);
  const set = (key) => (value) => choose({ [key]: value });
  const controls = make(
    "div",
    { class: "controls" },
    data.datasets.length > 1 ? choice("searched", "Data set", data.datasets.map((each) => [each.name, each.name]), name, set("searched")) : null,
    choice("right", "Answer of", dataset.measures.map((each) => [each, data.measures[each]]), measure, set("right")),
    dataset.categories.length > 1 ? choice("within", "Category", dataset.categories.map((each) => [each, spoken(each)]), category, set("within")) : null,
  );
  const caption = `Searches on ${plain(name)}, ${spoken(plain(category))}: answer of ${data.measures[measure]}`;
  const table = tableOf(caption, searchColumns(), rows);
  table.classList.add("gains");
  return [
    make("h3", {}, "Searches"),
    make("p", {}, "In a search, the reward model guides the policy while it writes. Gains are over best-of-N with the same two models, with the number of solutions for which the policy writes the same number of tokens."),
    controls,
    table,
    make("p", { class: "faint" }, "Intervals are 95 % over questions; gains are in points, paired over questions, and not corrected for the number of comparisons. Tokens are what the policy draws for a question, in the mean."),
  ];
}

function searchColumns() {
  const against = (row) => {
    if (row.baseline == null) return MISSING;
    const words = `${fixed(row.baseline_n)} of `;
    return make("span", {}, words, name(row.baseline), row.is_matched ? "" : ": not as many tokens");
  };
  return [
    { title: "search", value: (row) => row.search, shown: (row) => name(row.search) },
    { title: "method", value: (row) => row.method, shown: (row) => METHODS[row.method] ?? row.method },
    { title: "solutions drawn", value: (row) => row.n, shown: (row) => (row.n == null ? "all" : counted(row.n)), isNumber: true },
    { title: "tokens", value: (row) => row.tokens, shown: (row) => (row.tokens == null ? MISSING : counted(Math.round(row.tokens))), isNumber: true },
    { title: "accuracy", value: (row) => row.accuracy, shown: (row) => fixed(row.accuracy), isNumber: true },
    { title: "interval", value: (row) => row.low, shown: (row) => interval(row.low, row.high), isNumber: true },
    { title: "gain", value: (row) => row.difference, shown: (row) => signed(row.difference), isNumber: true },
    { title: "its interval", value: (row) => row.difference_low, shown: (row) => interval(row.difference_low, row.difference_high), isNumber: true },
    { title: "over best-of-N with", value: (row) => row.baseline, shown: against },
  ];
}
