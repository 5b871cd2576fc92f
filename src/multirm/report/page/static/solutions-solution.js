// One solution in the section Solutions: its steps, coloured by rewards and labels, and its critiques.

const NO_REWARD = {
  context: "the prompt leaves no room in the model's context",
  length: "cut off before a verdict",
  format: "no readable verdict",
};

class SolutionView {
  // `onModel` is called with the position of the model by whose rewards steps are to be coloured.
  constructor(pool, dataset, onModel) {
    this.pool = pool;
    this.models = dataset.models;
    this.onModel = onModel;
    this.element = make("div", { class: "solution-place" });
  }

  // `place` is a position in the pool; null for none.
  show(place, model) {
    this.model = model;
    this.element.replaceChildren(...(place === null ? [] : this.parts(place)));
  }

  focus() {
    const heading = this.element.querySelector("h4");
    heading.focus({ preventScroll: true });
    heading.scrollIntoView({ block: "nearest" });
  }

  parts(place) {
    const details = this.pool.details[place];
    const parts = [
      make("h4", { tabindex: -1 }, `Solution ${this.pool.ids[place]}`),
      make(
        "p",
        {},
        "Answer: ",
        answerOf(this.pool.parsed[place]),
        " ",
        verdict(this.pool.correct[place]),
        ...flagTags(this.pool, place),
      ),
    ];
    if (!details) {
      const words = `The text is not in this page. The command above shows it, with --solution ${this.pool.ids[place]}.`;
      return [...parts, make("p", {}, words)];
    }
    const byStep = this.models.map((each, number) => (each.unit === "step" ? number : -1)).filter((number) => number >= 0);
    if (byStep.length) parts.push(this.modelChoice(byStep), legend());
    parts.push(this.steps(place, details, byStep));
    this.models.forEach((each, number) => {
      const rewards = this.rewardsOfWhole(each, number, details);
      if (rewards) parts.push(rewards);
    });
    return parts;
  }

  modelChoice(byStep) {
    const choice = make("fieldset", { class: "colour-by" }, make("legend", {}, "Colour steps by the rewards of"));
    for (const number of byStep) {
      const input = make("input", {
        type: "radio",
        name: "solutions-model",
        value: number,
        onchange: () => {
          this.onModel(number);
          this.element.querySelector(`input[value="${number}"]`).focus();
        },
      });
      input.checked = number === this.model;
      choice.append(make("label", {}, input, " ", name(this.models[number].name)));
    }
    return choice;
  }

  // Scores have no bounds: they are coloured by the range in this pool.
  scaleOfModel(number) {
    const isScore = this.models[number].scale === "score";
    const values = isScore ? Object.values(this.pool.details).flatMap((each) => each.rewards[number] ?? []) : [];
    return scaleOf(values, isScore);
  }

  steps(place, details, byStep) {
    const labels = this.pool.labels[place];
    const firstWrong = labels ? labels.indexOf(0) : -1;
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
          make("span", { class: isChosen ? "reward is-chosen" : "reward" }, name(this.models[number].name), ` ${shownNumber(reward)}`),
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
}

function labelOf(label, isFirstWrong, isAfter) {
  if (isFirstWrong) return make("span", { class: "label wrong" }, "✗ first incorrect step");
  if (isAfter) return make("span", { class: "label" }, label === 0 ? "✗ after it" : "after an incorrect step");
  return make("span", { class: "label right" }, "✓ correct");
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
