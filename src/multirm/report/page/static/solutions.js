// The section Solutions: a list of questions, and for one of them its pool, solutions, critiques and trees. Its parts are
// in the other files of this name.
//
// Every text comes from models and data sets. It reaches the page by `said` alone, as text nodes; characters that
// could reorder or hide text are shown as marks.

function quoted(word) {
  return /^[\w@%+=:,.\/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

class Solutions {
  // `address` reads and writes the part of the location's hash that belongs to this section: `read()` gives an object
  // of texts, `write(object)` replaces it.
  constructor(root, payload, address) {
    this.payload = payload;
    this.address = address;
    this.question = null; // Position in the payload's list of questions.
    this.pool = null; // The views of that question, once it is unpacked.
    this.view = null;
    this.solution = null; // Position in the pool.
    this.model = 0; // By whose rewards steps are coloured.
    this.list = new QuestionList(payload, { onFilter: () => this.store(), onOpen: (place) => this.open(place) });
    this.detail = make("div", { class: "solutions-detail" });
    this.element = make("div", { class: "solutions", onkeydown: (event) => this.onKey(event) }, this.list.element, this.detail);
    root.append(make("p", { class: "on-paper" }, "A question that is open on the screen is printed with its solutions."), this.element);
    this.restore();
  }

  dataset() {
    return this.payload.datasets[this.payload.questions[this.question][0]];
  }

  async open(place, solution = null, keepFocus = false) {
    this.forget();
    this.question = place;
    const content = await unpacked(this.payload.pools[place]);
    if (this.question !== place) return;
    this.model = Math.max(this.dataset().models.findIndex((each) => each.unit === "step"), 0);
    this.element.classList.add("is-open");
    this.showQuestion(content);
    this.list.mark(place);
    if (solution !== null && content.ids?.[solution] !== undefined) this.openSolution(solution, keepFocus);
    else {
      this.store();
      if (!keepFocus) this.heading.focus();
    }
  }

  forget() {
    this.question = null;
    this.pool = null;
    this.view = null;
    this.solution = null;
  }

  clear() {
    this.forget();
    this.detail.replaceChildren();
    delete this.detail.dataset.place;
    this.element.classList.remove("is-open");
    this.list.mark(null);
  }

  close() {
    const place = this.question;
    this.clear();
    this.store();
    this.list.focus(place);
  }

  showQuestion(content) {
    const [, category, id] = this.payload.questions[this.question];
    const dataset = this.dataset();
    this.heading = make("h3", { tabindex: -1 }, name(dataset.name), " · ", name(category), " · ", name(id));
    const command = `multirm show ${quoted(id)} --dataset ${quoted(dataset.name)} --category ${quoted(category)}`;
    this.detail.replaceChildren(
      make("p", { class: "back" }, make("button", { type: "button", onclick: () => this.close() }, "Back to the list")),
      this.heading,
      block(content.question, "question"),
    );
    if (content.options?.length) {
      const list = make("ol", { class: "options", type: "A" });
      for (const option of content.options) list.append(make("li", {}, block(option)));
      this.detail.append(list);
    }
    this.detail.append(
      make("p", {}, "Reference answer: ", answerOf(content.answer)),
      make("p", { class: "command" }, "In a terminal: ", make("code", {}, said(command))),
    );
    if (content.ids) {
      this.pool = new PoolView(content, dataset, (place) => this.openSolution(place));
      this.view = new SolutionView(content, dataset, (model) => this.colourBy(model));
      this.detail.append(...this.pool.elements, this.view.element);
    }
    for (const tree of content.trees) this.detail.append(treeOf(tree));
    this.detail.dataset.place = this.question;
  }

  openSolution(place, keepFocus = false) {
    // Another question is being unpacked.
    if (!this.pool) return;
    this.solution = place;
    this.pool.mark(place);
    this.view.show(place, this.model);
    this.store();
    if (!keepFocus) this.view.focus();
  }

  closeSolution() {
    const place = this.solution;
    this.solution = null;
    this.view.show(null, this.model);
    this.pool.mark(null);
    this.store();
    this.pool.focus(place);
  }

  colourBy(model) {
    this.model = model;
    this.view.show(this.solution, model);
    this.store();
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
    for (const [group, pattern] of [[this.list.rows, ".question-row"], [this.pool?.poolBody, ".solution-row"]]) {
      if (!group?.contains(event.target)) continue;
      event.preventDefault();
      const buttons = [...group.querySelectorAll(pattern)];
      const next = buttons[buttons.indexOf(event.target) + step];
      if (next) {
        reachable(buttons, next);
        next.focus();
      } else if (group === this.list.rows) this.list.turnAtTheEnd(step);
      return;
    }
    // With a solution open, arrows go through the pool.
    if (this.solution !== null && this.view.element.contains(event.target)) {
      const places = this.pool.ordered();
      const next = places[places.indexOf(this.solution) + step];
      if (next === undefined) return;
      event.preventDefault();
      this.openSolution(next);
    }
  }

  store() {
    const state = this.list.state();
    if (this.question !== null) {
      const [own, category, id] = this.payload.questions[this.question];
      state.question = JSON.stringify([this.payload.datasets[own].name, category, id]);
      if (this.solution !== null) {
        state.solution = String(this.pool.ids[this.solution]);
        state.model = this.dataset().models[this.model]?.name ?? "";
      }
    }
    this.address.write(state);
  }

  restore() {
    const state = this.address.read();
    this.list.restore(state);
    const place = this.questionOf(state.question);
    if (place < 0) {
      if (this.question !== null) this.clear();
      return;
    }
    this.list.turnTo(place);
    this.reopen(place, state);
  }

  async reopen(place, state) {
    await this.open(place, null, true);
    if (this.question !== place || !this.pool || state.solution === undefined) return;
    const solution = this.pool.ids.indexOf(Number(state.solution));
    const model = this.dataset().models.findIndex((each) => each.name === state.model);
    if (model >= 0) this.model = model;
    if (solution >= 0) this.openSolution(solution, true);
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

sections.solutions = (root, data, address) => {
  if (data.questions.length) return new Solutions(root, data, address);
  root.append(
    make("p", {}, "This page was made without tables of solutions that were evaluated or scored, or of trees."),
    make("p", {}, "To see them here, add their folders: multirm report … --tables FOLDER FOLDER"),
  );
  return null;
};
