// The list of questions of the section Solutions: its filters, and one page of it.

const QUESTIONS_PER_PAGE = 50;

const MARK_LABELS = {
  disagree: "Models disagree",
  only_one_right: "Only one model right",
  against_vote: "Right against the vote",
  tied: "Ties",
  recovery: "Recoveries",
  truncated: "Truncated",
  missing: "Missing rewards",
  tree: "Trees",
  random: "Random sample",
};

const MARK_HELP = {
  disagree: "Best-of-N by different reward models chooses different answers",
  only_one_right: "Best-of-N by a single reward model is right, by all others it is wrong",
  against_vote: "Best-of-N by some reward model is right where the majority vote is wrong",
  tied: "A choice is a tie between different answers",
  recovery: "A solution has an incorrect step and a correct answer",
  truncated: "Something was too long for a reward model to read or write",
  missing: "A reward is missing",
  tree: "There is a search tree or a preference tree",
  random: "A fair sample of all questions: the other ones were chosen because they are interesting",
};

class QuestionList {
  // `onFilter` is called when filters have changed, `onOpen` with the position of a question that was clicked.
  constructor(payload, { onFilter, onOpen }) {
    this.payload = payload;
    this.onFilter = onFilter;
    this.onOpen = onOpen;
    this.filters = { dataset: "", category: "", marks: new Set(), text: "" };
    this.page = 0;
    this.found = [];
    this.current = null; // The question that is open, a position in the payload's list.
    this.searched = payload.questions.map((row) => `${row[2]}\n${row[3]}`.toLowerCase());
    this.element = make("div", { class: "solutions-list" });
    this.build();
  }

  build() {
    const { datasets, questions, marks } = this.payload;
    const categories = [...new Set(questions.map((row) => row[1]))].sort();
    this.datasetChoice = this.select("Data set", datasets.map((each, place) => [String(place), each.name]), "dataset");
    this.categoryChoice = this.select("Category", categories.map((each) => [each, each]), "category");
    // If all questions are here, there is no sample.
    const some = marks.filter((_, bit) => questions.some((row) => row[4] & (1 << bit)));
    const used = some.filter((mark) => mark !== "random" || datasets.some((each) => each.n_shown < each.n_questions));
    this.markBoxes = new Map(used.map((mark) => [mark, this.box(mark)]));
    this.search = make("input", {
      type: "search",
      id: "solutions-text",
      oninput: () => this.filter({ text: this.search.value }),
    });
    this.count = make("p", { class: "count", role: "status" });
    this.rows = make("ol", { class: "questions", "aria-label": "Questions" });
    this.pager = make("nav", { class: "pager", "aria-label": "Pages of questions" });
    this.element.append(
      ...this.leftOut(),
      make(
        "div",
        { class: "filters" },
        this.datasetChoice.parentNode,
        this.categoryChoice.parentNode,
        make("label", { for: "solutions-text" }, "Question or id contains ", this.search),
        make(
          "fieldset",
          {},
          make("legend", {}, "Only questions with"),
          ...[...this.markBoxes.values()].map((box) => box.parentNode),
        ),
      ),
      this.count,
      this.rows,
      this.pager,
    );
  }

  select(label, pairs, filter) {
    const choice = make("select", { onchange: () => this.filter({ [filter]: choice.value }) });
    choice.append(make("option", { value: "" }, "All"));
    for (const [value, text] of pairs) {
      const option = make("option", { value });
      option.textContent = plain(text);
      choice.append(option);
    }
    make("label", {}, `${label} `, choice);
    return choice;
  }

  box(mark) {
    const box = make("input", {
      type: "checkbox",
      onchange: () => {
        const marks = new Set(this.filters.marks);
        if (box.checked) marks.add(mark);
        else marks.delete(mark);
        this.filter({ marks });
      },
    });
    make("label", { title: MARK_HELP[mark] }, box, ` ${MARK_LABELS[mark]}`);
    return box;
  }

  leftOut() {
    const parts = this.payload.datasets.filter((each) => each.n_shown < each.n_questions);
    if (!parts.length) return [];
    const list = make("ul");
    for (const each of parts) {
      const left = each.n_questions - each.n_shown;
      list.append(
        make("li", {}, name(each.name), `: ${plural(each.n_shown, "question")} shown, ${left.toLocaleString("en")} left out`),
      );
    }
    const note = make(
      "div",
      { class: "left-out" },
      make(
        "p",
        {},
        "Not all questions fit into this page. Half of those here were drawn at random (filter “Random sample”), " +
          "the others because there is something to see. Any other one: ",
        make("code", {}, "multirm show QUESTION_ID"),
      ),
      list,
    );
    return [note];
  }

  filter(changes) {
    Object.assign(this.filters, changes);
    this.page = 0;
    this.apply();
    this.onFilter();
  }

  apply() {
    const { dataset, category, marks, text } = this.filters;
    const bits = [...marks].reduce((sum, mark) => sum | (1 << this.payload.marks.indexOf(mark)), 0);
    const wanted = text.trim().toLowerCase();
    this.found = [];
    this.payload.questions.forEach((row, place) => {
      if (dataset !== "" && row[0] !== Number(dataset)) return;
      if (category !== "" && row[1] !== category) return;
      if ((row[4] & bits) !== bits) return;
      if (wanted && !this.searched[place].includes(wanted)) return;
      this.found.push(place);
    });
    this.show();
  }

  show() {
    const pages = Math.max(Math.ceil(this.found.length / QUESTIONS_PER_PAGE), 1);
    this.page = Math.min(this.page, pages - 1);
    const all = this.payload.questions.length;
    this.count.textContent = `${this.found.length.toLocaleString("en")} of ${plural(all, "question")}`;
    const start = this.page * QUESTIONS_PER_PAGE;
    const shown = this.found.slice(start, start + QUESTIONS_PER_PAGE);
    this.rows.setAttribute("start", start + 1);
    this.rows.replaceChildren(...shown.map((place, row) => this.row(place, row === 0)));
    this.pager.replaceChildren();
    if (pages > 1) {
      const turn = (by) => () => this.turn(by);
      this.pager.append(
        make("button", { type: "button", disabled: this.page === 0, onclick: turn(-1) }, "Previous"),
        make("span", {}, ` Page ${this.page + 1} of ${pages} `),
        make("button", { type: "button", disabled: this.page === pages - 1, onclick: turn(1) }, "Next"),
      );
    }
    this.mark(this.current);
  }

  turn(by) {
    this.page += by;
    this.show();
    this.rows.querySelector("button")?.focus();
  }

  row(place, isFirst) {
    const [dataset, category, id, text, bits, size, right] = this.payload.questions[place];
    const button = make(
      "button",
      { type: "button", class: "question-row", tabindex: isFirst ? 0 : -1, onclick: () => this.onOpen(place) },
      make(
        "span",
        { class: "where" },
        name(this.payload.datasets[dataset].name),
        " · ",
        name(category),
        " · ",
        name(id),
      ),
      make("span", { class: "excerpt", dir: "auto" }, said(text.slice(0, 120))),
      make("span", { class: "tags" }, size ? `${right} of ${size} right` : "no solutions"),
    );
    const tags = button.lastChild;
    this.payload.marks.forEach((mark, bit) => {
      if (mark !== "random" && bits & (1 << bit)) tags.append(make("span", { class: "tag" }, MARK_LABELS[mark]));
    });
    button.dataset.place = place;
    return make("li", {}, button);
  }

  // `place` is the question that is open; null for none.
  mark(place) {
    this.current = place;
    const buttons = [...this.rows.querySelectorAll("button")];
    for (const button of buttons) {
      const isCurrent = Number(button.dataset.place) === place;
      button.setAttribute("aria-current", isCurrent);
      if (isCurrent) reachable(buttons, button);
    }
  }

  focus(place) {
    const button = [...this.rows.querySelectorAll("button")].find((each) => Number(each.dataset.place) === place);
    (button ?? this.rows.querySelector("button"))?.focus();
  }

  // To the page with a question, if filters show it.
  turnTo(place) {
    const page = Math.floor(this.found.indexOf(place) / QUESTIONS_PER_PAGE);
    if (page <= 0) return;
    this.page = page;
    this.show();
  }

  // From an end of the page to the next or the previous one.
  turnAtTheEnd(step) {
    const pages = Math.ceil(this.found.length / QUESTIONS_PER_PAGE);
    if (this.page + step < 0 || this.page + step >= pages) return;
    this.turn(step);
    if (step < 0) [...this.rows.querySelectorAll("button")].at(-1).focus();
  }

  // The filters as texts for the address; what filters nothing is left out.
  state() {
    const { dataset, category, marks, text } = this.filters;
    const state = {};
    if (dataset !== "") state.dataset = this.payload.datasets[Number(dataset)].name;
    if (category !== "") state.category = category;
    if (marks.size) state.only = [...marks].join(",");
    if (text) state.text = text;
    return state;
  }

  restore(state) {
    const { datasets, questions } = this.payload;
    const dataset = datasets.findIndex((each) => each.name === state.dataset);
    const marks = (state.only ?? "").split(",").filter((mark) => this.markBoxes.has(mark));
    this.filters = {
      dataset: dataset < 0 ? "" : String(dataset),
      category: questions.some((row) => row[1] === state.category) ? state.category : "",
      marks: new Set(marks),
      text: state.text ?? "",
    };
    this.datasetChoice.value = this.filters.dataset;
    this.categoryChoice.value = this.filters.category;
    this.search.value = this.filters.text;
    for (const [mark, box] of this.markBoxes) box.checked = this.filters.marks.has(mark);
    this.apply();
  }
}
