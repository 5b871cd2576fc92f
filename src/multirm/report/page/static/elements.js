// What all sections build their content of.
//
// Texts come from models and data sets. They become text nodes, never markup; characters that could reorder or hide
// text are shown as marks.

// Each section's function: given the element to draw into, the section's data, and its part of the page's address.
const sections = {};

// Characters that control direction, have no width, or control a device; and surrogates without a partner. Joiners
// are ordinary in many scripts and in emoji, but not after ASCII.
const HIDDEN = new RegExp(
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e" +
    "\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb]" +
    "|(?<![^\\u0000-\\u007f])[\\u200c\\u200d]|\\udb40[\\udc00-\\udc7f]" +
    "|[\\ud800-\\udbff](?![\\udc00-\\udfff])|(?<![\\ud800-\\udbff])[\\udc00-\\udfff]",
  "g",
);

function codeOf(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

// A text for attributes and options, where there can be no marks.
function plain(text) {
  return String(text).replace(HIDDEN, (character) => `⟨${codeOf(character)}⟩`);
}

// A text as nodes, with hidden characters as marks.
function said(text) {
  const nodes = document.createDocumentFragment();
  const whole = String(text);
  let place = 0;
  for (const found of whole.matchAll(HIDDEN)) {
    nodes.append(whole.slice(place, found.index));
    const mark = document.createElement("span");
    mark.className = "hidden-character";
    mark.textContent = codeOf(found[0]);
    nodes.append(mark);
    place = found.index + found[0].length;
  }
  nodes.append(whole.slice(place));
  return nodes;
}

// An element; `properties` are set as attributes, `on…` are listeners. Children are nodes, or our own words.
function make(tag, properties, ...children) {
  return set(document.createElement(tag), properties, children);
}

function set(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

// A name or answer within a line: its direction does not affect what is around it.
function name(text) {
  return make("bdi", { class: "name", title: String(text).length > 30 ? plain(text) : null }, said(text));
}

// A text of several lines.
function block(text, className = "") {
  return make("div", { class: `said ${className}`, dir: "auto" }, said(text));
}

function plural(count, word, words = `${word}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? word : words}`;
}

// What `assemble.packed` packed.
async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// A clause as a sentence.
function sentenceOf(clause) {
  return `${clause[0].toUpperCase()}${clause.slice(1)}.`;
}

// One of our sentences, in which `…` is code.
function withCode(sentence) {
  return sentence.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
}

// What was missing, on top of a section.
function warningsOf(warnings) {
  const list = make("ul");
  for (const { dataset, text } of warnings) list.append(make("li", {}, name(dataset), ": ", said(text)));
  return make("div", { class: "note warnings", role: "note" }, list);
}
