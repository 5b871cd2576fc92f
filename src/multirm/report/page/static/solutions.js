// The section Solutions: a list of questions, and for one of them its pool, solutions, critiques and trees.
//
// Every text comes from models and data sets. It reaches the page by `said` alone, as text nodes; characters that
// could reorder or hide text are shown as marks.

const QUESTIONS_PER_PAGE = 50;
const ANSWERS_SHOWN = 5;

const SELECTIONS = {
  majority_vote: "Majority vote",
  best_of_n: "Best-of-N",
  weighted_vote: "Weighted vote",
};

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

const ENDS = {
  overrun: "ends at a limit",
  looped: "ends in a loop",
  unscored: "ends without a reward",
  finished: "finished",
};

const NO_REWARD = {
  context: "the prompt leaves no room in the model's context",
  length: "cut off before a verdict",
  format: "no readable verdict",
};

const NO_SOLUTION = {
  given_up: "never returned",
  cut_off: "cut off",
  no_steps: "no steps",
  no_answer: "no answer",
};

function answerOf(text) {
  return text == null ? make("em", {}, "none") : name(text);
}

function shownNumber(value) {
  if (value == null) return "–";
  const size = Math.abs(value);
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(3);
}

// Paints an element by a share from 0 (low) to 1 (high); the colours are in the style sheet.
function paint(element, share) {
  if (share == null) return element;
  const clipped = Math.min(Math.max(share, 0), 1);
  element.classList.add("painted");
  element.dataset.side = clipped < 0.5 ? "low" : "high";
  element.style.setProperty("--strength", `${(Math.abs(clipped - 0.5) * 200).toFixed(2)}%`);
  return element;
}

// Where numbers lie on the colour scale: probabilities by their value, scores by the range of those of the pool.
function scaleOf(values, isScore, isDelta = false) {
  if (!isScore) return (value) => (value == null ? null : isDelta ? (value + 1) / 2 : value);
  const known = values.filter((value) => value != null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  return (value) => (value == null ? null : high > low ? (value - low) / (high - low) : 0.5);
}

function quoted(word) {
  return /^[\w@%+=:,.\/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

class Solutions {
  // `address` reads and writes the part of the location's hash that belongs to this section: `read()` gives an object
  // of texts, `write(object)` replaces it.
  constructor(root, payload, address) {
    this.payload = payload;
    this.address = address;
    this.filters = { dataset: "", category: "", marks: new Set(), text: "" };
    this.page = 0;
    this.found = [];
    this.question = null; // Position in the payload's list of questions.
    this.pool = null;
    this.solution = null; // Position in the pool.
    this.model = 0; // By whose rewards steps are coloured.
    this.order = "id";
    this.searched = payload.questions.map((row) => `${row[2]}\n${row[3]}`.toLowerCase());
    this.list = make("div", { class: "solutions-list" });
    this.detail = make("div", { class: "solutions-detail" });
    root.append(
      make("div", { class: "solutions", onkeydown: (event) => this.onKey(event) }, this.list, this.detail),
    );
    this.buildList();
    this.restore();
  }

  dataset() {
    return this.payload.datasets[this.payload.questions[this.question][0]];
  }

  // The list of questions.

  buildList() {
    const { datasets, questions, marks } = this.payload;
    if (!questions.length) {
      const missing = "This page was made without tables of solutions with rewards, or of trees.";
      const remedy = "To see them here, add their folders: multirm report … --tables FOLDER FOLDER";
      this.list.append(make("p", {}, missing), make("p", {}, remedy));
      return;
    }
    const categories = [...new Set(questions.map((row) => row[1]))].sort();
    this.datasetChoice = this.select("Data set", datasets.map((each, place) => [String(place), each.name]), "dataset");
    this.categoryChoice = this.select("Category", categories.map((each) => [each, each]), "category");
    const used = marks.filter((_, bit) => questions.some((row) => row[4] & (1 << bit)));
    this.markBoxes = new Map(used.map((mark) => [mark, this.box(mark)]));
    this.search = make("input", {
      type: "search",
      id: "solutions-text",
      oninput: () => this.filter({ text: this.search.value }),
    });
    this.count = make("p", { class: "count", role: "status" });
    this.rows = make("ol", { class: "questions", "aria-label": "Questions" });
    this.pager = make("nav", { class: "pager", "aria-label": "Pages of questions" });
    this.list.append(
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
    this.applyFilters();
    this.store();
  }

  applyFilters() {
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
    this.showList();
  }

  showList() {
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
    this.markCurrent();
  }

  turn(by) {
    this.page += by;
    this.showList();
    this.rows.querySelector("button")?.focus();
  }

  row(place, isFirst) {
    const [dataset, category, id, text, bits, size, right] = this.payload.questions[place];
    const button = make(
      "button",
      { type: "button", class: "question-row", tabindex: isFirst ? 0 : -1, onclick: () => this.open(place) },
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

  markCurrent() {
    const buttons = [...this.rows.querySelectorAll("button")];
    for (const button of buttons) {
      const isCurrent = Number(button.dataset.place) === this.question;
      button.setAttribute("aria-current", isCurrent);
      if (isCurrent) {
        for (const other of buttons) other.tabIndex = -1;
        button.tabIndex = 0;
      }
    }
  }

  // One question.

  async open(place, solution = null, keepFocus = false) {
    this.question = place;
    this.solution = null;
    this.pool = null;
    this.order = "id";
    const pool = await unpacked(this.payload.pools[place]);
    if (this.question !== place) return;
    this.pool = pool;
    this.model = this.firstModel();
    this.detail.parentNode.classList.add("is-open");
    this.showQuestion();
    this.markCurrent();
    if (solution !== null && pool.ids?.[solution] !== undefined) this.openSolution(solution, keepFocus);
    else {
      this.store();
      if (!keepFocus) this.heading.focus();
    }
  }

  firstModel() {
    const place = this.dataset().models.findIndex((each) => each.unit === "step");
    return Math.max(place, 0);
  }

  clear() {
    this.question = null;
    this.pool = null;
    this.solution = null;
    this.detail.replaceChildren();
    delete this.detail.dataset.place;
    this.detail.parentNode.classList.remove("is-open");
    this.markCurrent();
  }

  close() {
    const place = this.question;
    this.clear();
    this.store();
    const button = [...this.rows.querySelectorAll("button")].find((each) => Number(each.dataset.place) === place);
    (button ?? this.rows.querySelector("button"))?.focus();
  }

  showQuestion() {
    const [, category, id] = this.payload.questions[this.question];
    const dataset = this.dataset();
    this.heading = make(
      "h3",
      { tabindex: -1 },
      name(dataset.name),
      " · ",
      name(category),
      " · ",
      name(id),
    );
    const options = this.pool.options ?? [];
    const command = `multirm show ${quoted(id)} --dataset ${quoted(dataset.name)} --category ${quoted(category)}`;
    this.solutionPlace = make("div", { class: "solution-place" });
    this.detail.replaceChildren(
      make("p", { class: "back" }, make("button", { type: "button", onclick: () => this.close() }, "Back to the list")),
      this.heading,
      block(this.pool.question, "question"),
    );
    if (options.length) {
      const list = make("ol", { class: "options", type: "A" });
      for (const option of options) list.append(make("li", {}, block(option)));
      this.detail.append(list);
    }
    this.detail.append(
      make("p", {}, "Reference answer: ", answerOf(this.pool.answer)),
      make("p", { class: "command" }, "In a terminal: ", make("code", {}, said(command))),
    );
    if (this.pool.ids) {
      this.detail.append(this.choicesTable(), this.poolTable(), this.solutionPlace);
    }
    for (const tree of this.pool.trees) this.detail.append(this.tree(tree));
    this.detail.dataset.place = this.question;
  }

  answerText(code) {
    return code < 0 ? null : this.pool.parsed[this.pool.answers.indexOf(code)];
  }

  choicesTable() {
    const body = make("tbody");
    for (const choice of this.pool.choices) body.append(this.choiceRow(choice));
    return make(
      "table",
      { class: "choices cards" },
      make("caption", {}, `What each selection chooses from all ${this.pool.ids.length} solutions, and why`),
      make("thead", {}, make("tr", {}, ...["Selection", "Rewards", "Answer", "Right", "Why"].map(header))),
      body,
    );
  }

  choiceRow(choice) {
    const scorer = choice.scorer === null ? null : this.dataset().scorers[choice.scorer];
    const chosen = choice.candidates.slice(0, choice.n_tied);
    const codes = [...new Set(chosen.map((each) => each.answer))];
    const answer = make("td", { "data-label": "Answer" });
    codes.forEach((code, place) => answer.append(place ? " or " : "", answerOf(this.answerText(code))));
    if (!codes.length) answer.append(make("em", {}, "none"));
    return make(
      "tr",
      {},
      make("th", { scope: "row", "data-label": "Selection" }, SELECTIONS[choice.selection]),
      make("td", { "data-label": "Rewards" }, scorer ? name(scorer.label) : "–"),
      answer,
      make("td", { "data-label": "Right" }, verdict(choice.correct)),
      make("td", { "data-label": "Why" }, ...this.why(choice)),
    );
  }

  why(choice) {
    if (choice.basis === "no_answers") return ["No solution gives an answer."];
    return choice.selection === "best_of_n" ? this.whyBest(choice) : this.whyVote(choice);
  }

  whyBest(choice) {
    const scores = this.pool.scores[choice.scorer];
    const tied = choice.candidates.slice(0, choice.n_tied).map((each) => each.solutions[0]);
    const next = choice.candidates[choice.n_tied]?.solutions[0];
    const words = [];
    if (choice.basis === "no_rewards") {
      words.push(`No solution has a reward: all ${tied.length} are as good.`);
    } else {
      const score = shownNumber(scores[tied[0]]);
      words.push(
        tied.length === 1
          ? `Solution ${this.pool.ids[tied[0]]} has the highest reward, ${score}.`
          : `${tied.length} solutions tie at ${score}.`,
      );
    }
    if (tied.length > 1 && choice.correct !== null) {
      const right = tied.filter((place) => this.pool.correct[place]).length;
      words.push(` ${right} of them ${right === 1 ? "is" : "are"} right.`);
    }
    if (next !== undefined && choice.basis === "rewards") {
      words.push(` Next: solution ${this.pool.ids[next]}, ${shownNumber(scores[next])}, answer `);
      words.push(answerOf(this.pool.parsed[next]), ".");
    }
    return words;
  }

  whyVote(choice) {
    const words = [];
    if (choice.basis === "no_rewards") words.push("No answered solution has a reward: all vote equally. ");
    if (choice.n_tied > 1) words.push(`${choice.n_tied} answers tie. `);
    const total = choice.candidates.reduce((sum, each) => sum + (each.worth ?? 0), 0);
    const isCount = choice.basis !== "rewards";
    choice.candidates.slice(0, ANSWERS_SHOWN).forEach((each, place) => {
      const share = total > 0 && each.worth !== null ? ` (${Math.round((100 * each.worth) / total)} %)` : "";
      const worth = each.worth === null ? "no vote" : isCount ? each.worth.toFixed(0) : shownNumber(each.worth);
      words.push(place ? ", " : "", answerOf(this.answerText(each.answer)), ` ${worth}${share}`);
      if (!isCount) words.push(` from ${each.solutions.length}`);
    });
    const others = choice.candidates.length - ANSWERS_SHOWN;
    if (others > 0) words.push(`, and ${plural(others, "other answer")}`);
    words.push(".");
    return words;
  }

  // The pool.

  chosenBy(place) {
    const reasons = [];
    for (const choice of this.pool.choices) {
      const chosen = choice.candidates.slice(0, choice.n_tied);
      if (choice.selection !== "best_of_n" || !chosen.some((each) => each.solutions.includes(place))) continue;
      const label = this.dataset().scorers[choice.scorer].label;
      reasons.push(make("span", { class: "tag" }, name(label), choice.n_tied > 1 ? ` (tied with ${choice.n_tied - 1})` : ""));
    }
    return reasons;
  }

  flags(place) {
    const { labels, correct, truncated, missing, reasons } = this.pool;
    const flags = [];
    if (reasons[place]) flags.push(NO_SOLUTION[reasons[place]] ?? "no solution");
    if (labels[place]?.includes(0) && correct[place] === 1) flags.push("recovery");
    if (truncated.some((own) => own.includes(place))) flags.push("truncated");
    if (missing.some((own) => own.includes(place))) flags.push("missing reward");
    if (!this.pool.details[place]) flags.push("text left out");
    return flags;
  }

  ordered() {
    const places = this.pool.ids.map((_, place) => place);
    if (this.order === "id") return places;
    const scores = this.pool.scores[Number(this.order)];
    const worth = (place) => scores[place] ?? -Infinity;
    return places.sort((a, b) => (worth(b) === worth(a) ? a - b : worth(b) - worth(a)));
  }

  poolTable() {
    const { scorers } = this.dataset();
    this.poolBody = make("tbody");
    const sorter = (order, ...words) => {
      const cell = make("th", { scope: "col" });
      const button = make("button", { type: "button", onclick: () => this.sort(order) }, ...words);
      cell.append(button);
      cell.dataset.order = order;
      return cell;
    };
    this.poolHead = make(
      "tr",
      {},
      sorter("id", "Solution"),
      header("Answer"),
      header("Right"),
      ...scorers.map((each, place) => sorter(String(place), name(each.label))),
      header("Best of all by"),
      header("Notes"),
    );
    const table = make(
      "table",
      { class: "pool cards" },
      make("caption", {}, "The pool: each solution with its reward by each model"),
      make("thead", {}, this.poolHead),
      this.poolBody,
    );
    this.showPool();
    // With many models the table is wider than a window.
    return make("div", {}, legend(), make("div", { class: "wide" }, table));
  }

  sort(order) {
    this.order = order;
    this.showPool();
  }

  showPool() {
    for (const cell of this.poolHead.children) {
      if (cell.dataset.order === undefined) continue;
      const isSorted = cell.dataset.order === this.order;
      cell.setAttribute("aria-sort", isSorted ? (this.order === "id" ? "ascending" : "descending") : "none");
    }
    const { scorers, models } = this.dataset();
    const scales = scorers.map((each, number) =>
      scaleOf(this.pool.scores[number], models[each.model].scale === "score", each.aggregation.endsWith("_delta")),
    );
    this.poolBody.replaceChildren(
      ...this.ordered().map((place, row) => {
        const id = this.pool.ids[place];
        const button = make(
          "button",
          { type: "button", class: "solution-row", tabindex: row ? -1 : 0, onclick: () => this.openSolution(place) },
          `Solution ${id}`,
        );
        const line = make(
          "tr",
          {},
          make("th", { scope: "row" }, button),
          make("td", { "data-label": "Answer" }, answerOf(this.pool.parsed[place])),
          make("td", { "data-label": "Right" }, verdict(this.pool.correct[place])),
          ...scorers.map((each, number) => {
            const score = this.pool.scores[number][place];
            const cell = make("td", { class: "number", "data-label": plain(each.label) });
            return paint(fill(cell, shownNumber(score)), scales[number](score));
          }),
          make("td", { "data-label": "Best of all by" }, ...this.chosenBy(place)),
          make("td", { "data-label": "Notes" }, ...this.flags(place).map((flag) => make("span", { class: "tag" }, flag))),
        );
        line.dataset.place = place;
        return line;
      }),
    );
    this.markSolution();
  }

  markSolution() {
    for (const line of this.poolBody.children) {
      const isCurrent = Number(line.dataset.place) === this.solution;
      line.classList.toggle("is-current", isCurrent);
      const button = line.querySelector("button");
      button.setAttribute("aria-expanded", isCurrent);
      if (isCurrent) {
        for (const other of this.poolBody.querySelectorAll("button")) other.tabIndex = -1;
        button.tabIndex = 0;
      }
    }
  }

  // One solution.

  openSolution(place, keepFocus = false) {
    this.solution = place;
    this.markSolution();
    this.showSolution();
    this.store();
    if (!keepFocus) {
      const heading = this.solutionPlace.querySelector("h4");
      heading.focus({ preventScroll: true });
      heading.scrollIntoView({ block: "nearest" });
    }
  }

  closeSolution() {
    const place = this.solution;
    this.solution = null;
    this.solutionPlace.replaceChildren();
    this.markSolution();
    this.store();
    [...this.poolBody.children].find((line) => Number(line.dataset.place) === place)?.querySelector("button").focus();
  }

  showSolution() {
    const place = this.solution;
    const details = this.pool.details[place];
    const { models } = this.dataset();
    const parts = [
      make("h4", { tabindex: -1 }, `Solution ${this.pool.ids[place]}`),
      make(
        "p",
        {},
        "Answer: ",
        answerOf(this.pool.parsed[place]),
        " ",
        verdict(this.pool.correct[place]),
        ...this.flags(place).map((flag) => make("span", { class: "tag" }, flag)),
      ),
    ];
    if (!details) {
      parts.push(make("p", {}, `The text is not in this page. The command above shows it, with --solution ${this.pool.ids[place]}.`));
      this.solutionPlace.replaceChildren(...parts);
      return;
    }
    const byStep = models.map((each, number) => (each.unit === "step" ? number : -1)).filter((number) => number >= 0);
    if (byStep.length) parts.push(this.modelChoice(byStep), legend());
    parts.push(this.steps(place, details, byStep));
    models.forEach((each, number) => {
      const rewards = this.rewardsOfWhole(each, number, details);
      if (rewards) parts.push(rewards);
    });
    this.solutionPlace.replaceChildren(...parts);
  }

  modelChoice(byStep) {
    const { models } = this.dataset();
    const choice = make("fieldset", { class: "colour-by" }, make("legend", {}, "Colour steps by the rewards of"));
    for (const number of byStep) {
      const input = make("input", {
        type: "radio",
        name: "solutions-model",
        value: number,
        onchange: () => {
          this.model = number;
          this.showSolution();
          this.store();
          this.solutionPlace.querySelector(`input[value="${number}"]`).focus();
        },
      });
      input.checked = number === this.model;
      choice.append(make("label", {}, input, " ", name(models[number].name)));
    }
    return choice;
  }

  // Scores have no bounds: they are coloured by the range in this pool.
  scaleOfModel(number) {
    const isScore = this.dataset().models[number].scale === "score";
    const values = isScore ? Object.values(this.pool.details).flatMap((each) => each.rewards[number] ?? []) : [];
    return scaleOf(values, isScore);
  }

  steps(place, details, byStep) {
    const labels = this.pool.labels[place];
    const firstWrong = labels ? labels.indexOf(0) : -1;
    const { models } = this.dataset();
    const scale = this.scaleOfModel(this.model);
    const list = make("ol", { class: "steps" });
    details.steps.forEach((text, step) => {
      const numbers = make("div", { class: "numbers" });
      if (labels) numbers.append(labelOf(labels[step], step === firstWrong, firstWrong >= 0 && step > firstWrong));
      const item = make("li", { class: "step" }, block(text), numbers);
      for (const number of byStep) {
        const reward = details.rewards[number]?.[step];
        const isChosen = number === this.model;
        numbers.append(
          make("span", { class: isChosen ? "reward is-chosen" : "reward" }, name(models[number].name), ` ${shownNumber(reward)}`),
        );
        if (isChosen) paint(item, scale(reward));
      }
      list.append(item);
    });
    return list;
  }

  // Rewards that are about the whole solution, with their critiques.
  rewardsOfWhole(model, number, details) {
    const critiques = details.critiques[number];
    const rewards = details.rewards[number];
    if (model.unit === "step" && !critiques.length) return null;
    const scale = this.scaleOfModel(number);
    const part = make("section", { class: "critiques" }, make("h5", {}, name(model.name)));
    if (!rewards) {
      part.append(make("p", {}, "No rewards."));
      return part;
    }
    const numbers = make("p", {}, model.unit === "critique" ? "A reward for each critique: " : "Rewards: ");
    for (const reward of rewards) numbers.append(paint(make("span", { class: "reward" }, shownNumber(reward)), scale(reward)), " ");
    part.append(numbers);
    critiques.forEach((critique, place) => part.append(critiqueOf(critique, place, scale)));
    const left = details.n_critiques[number] - critiques.length;
    if (left > 0) part.append(make("p", { class: "left-out" }, `${plural(left, "more critique")} left out of this page.`));
    else if (model.unit === "critique" && !critiques.length) part.append(make("p", {}, "Its critiques are not in this page."));
    return part;
  }

  // Trees.

  tree(tree) {
    const children = new Map();
    for (const node of tree.nodes) {
      if (!children.has(node[1])) children.set(node[1], []);
      children.get(node[1]).push(node);
    }
    const known = tree.nodes.map((node) => node[3]).filter((value) => value != null);
    const isScore = known.some((value) => value < 0 || value > 1);
    const scale = scaleOf(known, isScore);
    const title = make("h4", {}, tree.search ? "Search tree: " : "Preference tree");
    if (tree.search) title.append(name(tree.search));
    const part = make("section", { class: "tree" }, title, legend());
    const roots = (children.get(null) ?? []).flatMap((root) => children.get(root[0]) ?? []);
    part.append(branches(roots, children, scale, 0, Boolean(tree.search)));
    if (tree.nodes.length < tree.n_nodes) {
      part.append(make("p", { class: "left-out" }, `${plural(tree.n_nodes - tree.nodes.length, "more node")} left out of this page.`));
    }
    return part;
  }

  // The keyboard, and the address.

  onKey(event) {
    const isText = event.target.matches("select, input");
    if (event.key === "Escape") {
      if (this.solution !== null) this.closeSolution();
      else if (this.question !== null) this.close();
      else return;
      event.preventDefault();
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || isText) return;
    for (const [group, pattern] of [[this.rows, ".question-row"], [this.poolBody, ".solution-row"]]) {
      if (!group?.contains(event.target)) continue;
      event.preventDefault();
      const buttons = [...group.querySelectorAll(pattern)];
      const next = buttons[buttons.indexOf(event.target) + step];
      if (next) {
        for (const button of buttons) button.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      } else if (group === this.rows) this.turnAtTheEnd(step);
      return;
    }
    // With a solution open, arrows go through the pool.
    if (this.solution !== null && this.solutionPlace.contains(event.target)) {
      const places = this.ordered();
      const next = places[places.indexOf(this.solution) + step];
      if (next === undefined) return;
      event.preventDefault();
      this.openSolution(next);
    }
  }

  turnAtTheEnd(step) {
    const pages = Math.ceil(this.found.length / QUESTIONS_PER_PAGE);
    if (this.page + step < 0 || this.page + step >= pages) return;
    this.turn(step);
    if (step < 0) [...this.rows.querySelectorAll("button")].at(-1).focus();
  }

  store() {
    const { dataset, category, marks, text } = this.filters;
    const state = {};
    if (dataset !== "") state.dataset = this.payload.datasets[Number(dataset)].name;
    if (category !== "") state.category = category;
    if (marks.size) state.only = [...marks].join(",");
    if (text) state.text = text;
    if (this.question !== null) {
      const [own, itsCategory, id] = this.payload.questions[this.question];
      state.question = JSON.stringify([this.payload.datasets[own].name, itsCategory, id]);
      if (this.solution !== null) {
        state.solution = String(this.pool.ids[this.solution]);
        state.model = this.dataset().models[this.model]?.name ?? "";
      }
    }
    this.address.write(state);
  }

  restore() {
    if (!this.payload.questions.length) return;
    const state = this.address.read();
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
    this.applyFilters();
    const place = this.questionOf(state.question);
    if (place < 0) {
      if (this.question !== null) this.clear();
      return;
    }
    const page = Math.floor(this.found.indexOf(place) / QUESTIONS_PER_PAGE);
    if (page > 0) {
      this.page = page;
      this.showList();
    }
    this.reopen(place, state);
  }

  async reopen(place, state) {
    const pool = await unpacked(this.payload.pools[place]);
    const solution = (pool.ids ?? []).indexOf(Number(state.solution));
    await this.open(place, solution < 0 || state.solution === undefined ? null : solution, true);
    const model = this.dataset().models.findIndex((each) => each.name === state.model);
    if (this.solution !== null && model >= 0 && model !== this.model) {
      this.model = model;
      this.showSolution();
      this.store();
    }
  }

  questionOf(text) {
    let key;
    try {
      key = JSON.parse(text ?? "null");
    } catch {
      return -1;
    }
    if (!Array.isArray(key)) return -1;
    const { datasets, questions } = this.payload;
    return questions.findIndex(
      (row) => datasets[row[0]].name === key[0] && row[1] === key[1] && row[2] === key[2],
    );
  }
}

function fill(element, ...children) {
  element.append(...children);
  return element;
}

function header(words) {
  return make("th", { scope: "col" }, words);
}

function verdict(correct) {
  if (correct === null) return make("span", {}, "? unknown");
  if (correct === 1) return make("span", { class: "right" }, "✓ right");
  if (correct === 0) return make("span", { class: "wrong" }, "✗ wrong");
  return make("span", {}, `${Math.round(100 * correct)} % right`);
}

function labelOf(label, isFirstWrong, isAfter) {
  if (isFirstWrong) return make("span", { class: "label wrong" }, "✗ first incorrect step");
  if (isAfter) return make("span", { class: "label" }, label === 0 ? "✗ after it" : "after an incorrect step");
  return make("span", { class: "label right" }, "✓ correct");
}

function legend() {
  const scale = make("span", { class: "scale", "aria-hidden": "true" });
  for (let place = 0; place <= 10; place += 1) scale.append(paint(make("span"), place / 10));
  return make("p", { class: "legend" }, "low reward ", scale, " high reward");
}

function critiqueOf(critique, place, scale) {
  const summary = make("summary", {}, `Critique ${place + 1}: `);
  summary.append(paint(make("span", { class: "reward" }, shownNumber(critique.reward)), scale(critique.reward)));
  if (critique.reason) summary.append(` ${NO_REWARD[critique.reason] ?? "no reward"}`);
  if (critique.truncated) summary.append(make("span", { class: "tag" }, "truncated"));
  const text = make("div", { class: "said critique", dir: "auto" });
  const [start, end] = critique.verdict ?? [critique.text.length, critique.text.length];
  text.append(said(critique.text.slice(0, start)));
  if (critique.verdict) text.append(make("mark", {}, said(critique.text.slice(start, end))));
  text.append(said(critique.text.slice(end)));
  return make("details", {}, summary, text);
}

// A chain without branches stays in one list; each branch is folded.
function branches(nodes, children, scale, depth, isSearch) {
  const list = make("ol", { class: "nodes" });
  if (nodes.length === 1) {
    for (let own = nodes; own.length; ) {
      list.append(make("li", {}, nodeOf(own[0], scale, isSearch)));
      const next = children.get(own[0][0]) ?? [];
      if (next.length > 1) list.append(make("li", { class: "fork" }, branches(next, children, scale, depth + 1, isSearch)));
      own = next.length === 1 ? next : [];
    }
    return list;
  }
  for (const node of nodes) {
    const below = children.get(node[0]) ?? [];
    const line = nodeOf(node, scale, isSearch);
    if (!below.length) list.append(make("li", {}, line));
    else list.append(make("li", {}, make("details", { open: depth < 2 }, make("summary", {}, line), branches(below, children, scale, depth + 1, isSearch))));
  }
  return list;
}

function nodeOf([, , text, worth, count, end, answer, outcome], scale, isSearch) {
  const line = make("div", { class: "node" }, paint(make("span", { class: "reward" }, shownNumber(worth)), scale(worth)), " ");
  line.append(make("span", { class: "tag" }, isSearch ? plural(count, "visit") : plural(count, "solution")));
  if (end) line.append(make("span", { class: "tag" }, ENDS[end] ?? "ends"));
  if (answer != null) line.append(" answer ", name(answer), " ", verdict(outcome));
  line.append(block(text));
  return line;
}

sections.solutions = (root, data, address) => new Solutions(root, data, address);
