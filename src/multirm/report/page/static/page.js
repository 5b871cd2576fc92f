// Opens sections, and keeps the page's address, theme and print in step with them.

const tabs = [...document.querySelectorAll("[role=tab]")];
const panels = new Map([...document.querySelectorAll(".panel")].map((panel) => [panel.dataset.section, panel]));
// What each section's function returned, as a promise, once it has been opened.
const drawn = new Map();

// The address is `#section?key=value&…`, so that a link opens the same view.
function addressed() {
  const [section, query] = location.hash.slice(1).split("?", 2);
  return [decoded(section), query ?? ""];
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

// A section's part of the address: `read()` gives an object of texts, `write(object)` replaces it.
function addressOf(section) {
  let query = "";
  return {
    read() {
      const [current, own] = addressed();
      if (current === section) query = own;
      return Object.fromEntries(new URLSearchParams(query));
    },
    write(state) {
      query = new URLSearchParams(state).toString();
      // What is drawn in the background does not change the address.
      if (current() === section) history.replaceState(null, "", hashOf(section, query));
    },
    hash() {
      return hashOf(section, query);
    },
  };
}

function hashOf(section, query) {
  return `#${section}${query ? `?${query}` : ""}`;
}

const addresses = new Map([...panels.keys()].map((section) => [section, addressOf(section)]));

function current() {
  return tabs.find((tab) => tab.getAttribute("aria-selected") === "true")?.dataset.section;
}

function draw(section) {
  if (!drawn.has(section)) drawn.set(section, drawNow(section));
  return drawn.get(section);
}

async function drawNow(section) {
  const root = panels.get(section).querySelector(".content");
  root.setAttribute("aria-busy", "true");
  try {
    const packed = document.getElementById(`data-${section}`).textContent;
    return sections[section](root, await unpacked(packed), addresses.get(section));
  } catch (error) {
    root.append(make("p", { class: "note" }, `This section cannot be shown: ${plain(error.message)}`));
    throw error;
  } finally {
    root.removeAttribute("aria-busy");
  }
}

function select(section) {
  for (const tab of tabs) {
    const isSelected = tab.dataset.section === section;
    tab.setAttribute("aria-selected", isSelected);
    tab.tabIndex = isSelected ? 0 : -1;
    panels.get(tab.dataset.section).hidden = !isSelected;
  }
  return draw(section);
}

async function follow() {
  const [section] = addressed();
  const known = panels.has(section) ? section : tabs[0].dataset.section;
  const isNew = !drawn.has(known);
  const view = await select(known);
  // A section that is there already goes to what the new address says.
  if (!isNew) view?.restore?.();
}

function turnTo(tab) {
  const { section } = tab.dataset;
  history.pushState(null, "", addresses.get(section).hash());
  select(section);
}

for (const tab of tabs) {
  tab.addEventListener("click", () => turnTo(tab));
  tab.addEventListener("keydown", (event) => {
    const place = tabs.indexOf(tab);
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const other = tabs.at(next % tabs.length);
    turnTo(other);
    other.focus();
    other.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}

// The hash says what is shown, so a link to a place in the page is followed by hand.
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});

const darkSystem = matchMedia("(prefers-color-scheme: dark)");
const theme = document.getElementById("theme");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : darkSystem.matches;
}

function nameTheme() {
  theme.textContent = isDark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
}

theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
darkSystem.addEventListener("change", nameTheme);
nameTheme();
theme.hidden = false;

addEventListener("hashchange", follow);

// Paper cannot be unfolded.
const unfolded = [];

addEventListener("beforeprint", () => {
  drawForPaper();
  for (const fold of document.querySelectorAll(".solutions-detail details:not([open])")) {
    fold.open = true;
    unfolded.push(fold);
  }
});

addEventListener("afterprint", () => {
  drawForScreen();
  for (const fold of unfolded.splice(0)) fold.open = false;
});

// Unpacking takes turns with other work, and printing waits for nothing: draw the other sections while nobody waits.
follow().finally(async () => {
  for (const tab of tabs) await draw(tab.dataset.section).catch(() => {});
  document.documentElement.dataset.ready = "";
});
