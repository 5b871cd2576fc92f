// The pool of a question in the section Solutions: what each selection chooses and why, and all solutions.

const ANSWERS_SHOWN = 5;

class PoolView {
  // `onOpen` is called with the position of a solution that was clicked.
  constructor(pool, dataset, onOpen) {
    this.pool = pool;
    this.ids = pool.ids;
    this.dataset = dataset;
    this.onOpen = onOpen;
    this.order = "id";
    this.current = null;
    this.elements = [this.choicesTable(), this.poolTable()];
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
      make("caption", {}, `What each selection chooses from ${this.ids.length === 1 ? "the only solution" : `all ${this.ids.length} solutions`}, and why`),
      make("thead", {}, make("tr", {}, ...["Selection", "Rewards", "Answer", "Right", "Why"].map(header))),
      body,
    );
  }

  choiceRow(choice) {
    const scorer = choice.scorer === null ? null : this.dataset.scorers[choice.scorer];
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
      make("td", { class: "why", "data-label": "Why" }, ...this.why(choice)),
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

  chosenBy(place) {
    const reasons = [];
    for (const choice of this.pool.choices) {
      const chosen = choice.candidates.slice(0, choice.n_tied);
      if (choice.selection !== "best_of_n" || !chosen.some((each) => each.solutions.includes(place))) continue;
      const label = this.dataset.scorers[choice.scorer].label;
      reasons.push(make("span", { class: "tag" }, name(label), choice.n_tied > 1 ? ` (tied with ${choice.n_tied - 1})` : ""));
    }
    return reasons;
  }

  ordered() {
    const places = this.pool.ids.map((_, place) => place);
    if (this.order === "id") return places;
    const scores = this.pool.scores[Number(this.order)];
    const worth = (place) => scores[place] ?? -Infinity;
    return places.sort((a, b) => (worth(b) === worth(a) ? a - b : worth(b) - worth(a)));
  }

  poolTable() {
    const { scorers } = this.dataset;
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
    const { scorers, models } = this.dataset;
    const scales = scorers.map((each, number) =>
      scaleOf(this.pool.scores[number], models[each.model].scale === "score", each.aggregation.endsWith("_delta")),
    );
    this.poolBody.replaceChildren(
      ...this.ordered().map((place, row) => {
        const id = this.pool.ids[place];
        const button = make(
          "button",
          { type: "button", class: "solution-row", tabindex: row ? -1 : 0, onclick: () => this.onOpen(place) },
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
          make("td", { "data-label": "Notes" }, ...flagTags(this.pool, place)),
        );
        line.dataset.place = place;
        return line;
      }),
    );
    this.mark(this.current);
  }

  // `place` is the solution that is open; null for none.
  mark(place) {
    this.current = place;
    for (const line of this.poolBody.children) {
      const isCurrent = Number(line.dataset.place) === place;
      line.classList.toggle("is-current", isCurrent);
      const button = line.querySelector("button");
      button.setAttribute("aria-expanded", isCurrent);
      if (isCurrent) reachable(this.poolBody.querySelectorAll("button"), button);
    }
  }

  focus(place) {
    [...this.poolBody.children].find((line) => Number(line.dataset.place) === place)?.querySelector("button").focus();
  }
}
