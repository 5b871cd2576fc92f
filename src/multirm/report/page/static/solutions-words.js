// What all parts of the section Solutions show: answers, numbers, verdicts, and rewards as colours.

const SELECTIONS = {
  majority_vote: "Majority vote",
  best_of_n: "Best-of-N",
  weighted_vote: "Weighted vote",
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

// What is noteworthy about a solution, in words.
function flagsOf(pool, place) {
  const { labels, correct, truncated, missing, reasons } = pool;
  const flags = [];
  if (reasons[place]) flags.push(NO_SOLUTION[reasons[place]] ?? "no solution");
  if (labels[place]?.includes(0) && correct[place] === 1) flags.push("recovery");
  if (truncated.some((own) => own.includes(place))) flags.push("truncated");
  if (missing.some((own) => own.includes(place))) flags.push("missing reward");
  if (!pool.details[place]) flags.push("text left out");
  return flags;
}

function flagTags(pool, place) {
  return flagsOf(pool, place).map((flag) => make("span", { class: "tag" }, flag));
}

function legend() {
  const scale = make("span", { class: "scale", "aria-hidden": "true" });
  for (let place = 0; place <= 10; place += 1) scale.append(paint(make("span"), place / 10));
  return make("p", { class: "legend" }, "low reward ", scale, " high reward");
}

// One of a group of buttons can be reached by Tab; the arrows lead to the others.
function reachable(buttons, button) {
  for (const each of buttons) each.tabIndex = each === button ? 0 : -1;
}
