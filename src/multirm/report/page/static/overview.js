// The section Overview: the answer for each data set.

sections.overview = (root, data) => {
  root.append(make("p", { class: "lead" }, "Which reward model, if any, selects better answers than the majority vote?"));
  for (const dataset of data.datasets) {
    const part = make("section", { "data-dataset": dataset.name }, make("h3", {}, name(dataset.name)));
    part.append(
      make("p", { class: "faint" }, `${plural(dataset.n_questions, "question")}, ${plural(dataset.categories.length, "category", "categories")}`),
    );
    for (const sentence of dataset.sentences) part.append(make("p", {}, said(sentence)));
    root.append(part);
  }
};
