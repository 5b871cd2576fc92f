// The section Provenance: what was made from what, with which settings, in which time, and by which versions.

sections.provenance = (root, data) => {
  root.append(
    make("p", { class: "lead" }, "Every table records what it was made from; this is what the tables of this page say."),
    make("p", {}, "To follow one of them back to the original data: ", make("code", {}, "multirm trace FILE"), "."),
  );
  if (data.graph.edges.length) {
    root.append(
      make("h3", {}, "What was made from what"),
      make("p", { class: "faint" }, "A box is a module of multirm, with the number of files that it made; lines lead to what was made from them."),
      make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Graph of modules" }, graphOf(data.graph)),
    );
  }
  if (data.rules.length) root.append(make("h3", {}, "Time and memory"), ...timesOf(data.rules));
  if (data.costs.length) root.append(make("h3", {}, "Cost of scoring"), costsOf(data.costs));
  if (data.settings.length) root.append(make("h3", {}, "Settings of reward models"), settingsOf(data));
  root.append(make("h3", {}, "Tables"), madeFrom(data.tables), make("h3", {}, "Versions"), ...versionsOf(data));
};

function timesOf(rules) {
  const total = rules.reduce((sum, each) => sum + each.seconds, 0);
  const rows = rules.toSorted((one, other) => other.seconds - one.seconds);
  return [
    make("p", { class: "faint" }, `As Snakemake measured the jobs that ran last in this results folder, of all studies that share it: ${duration(total)} in all, one after the other.`),
    tableOf("Time and memory of each rule", [
      { title: "rule", value: (row) => row.rule, shown: (row) => name(row.rule) },
      { title: "jobs", value: (row) => row.n_jobs, isNumber: true },
      { title: "time", value: (row) => row.seconds, shown: (row) => duration(row.seconds), isNumber: true },
      { title: "largest memory", value: (row) => row.memory, shown: (row) => (row.memory == null ? MISSING : `${counted(Math.round(row.memory))} MB`), isNumber: true },
    ], rows),
  ];
}

function duration(seconds) {
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  if (seconds < 6000) return `${(seconds / 60).toFixed(1)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function costsOf(costs) {
  return tableOf("Cost of scoring", [
    { title: "reward model", value: (row) => row.model, shown: (row) => name(row.model) },
    { title: "data set", value: (row) => row.dataset, shown: (row) => name(row.dataset) },
    { title: "solutions", value: (row) => row.n_solutions, isNumber: true },
    { title: "tokens read", value: (row) => row.n_tokens_read, isNumber: true },
    { title: "tokens generated", value: (row) => row.n_tokens_generated, isNumber: true },
    { title: "operations (FLOPs)", value: (row) => row.flops, shown: (row) => (row.flops == null ? MISSING : row.flops.toExponential(1)), isNumber: true },
  ], costs);
}

function settingsOf({ models, settings }) {
  const columns = [
    { title: "setting", value: (row) => row[1], shown: (row) => name(row[1].replaceAll("_", " ")) },
    { title: "of", value: (row) => row[0] },
    ...models.map((model, place) => ({ title: plain(model), value: (row) => row[place + 2] })),
  ];
  return tableOf("Settings, as recorded when models were trained and scored", columns, settings, { sortable: false });
}

function madeFrom(tables) {
  const read = (row) => {
    if (!row.folders.length) return MISSING;
    const list = row.folders.map((folder) => make("li", {}, name(folder)));
    const all = row.n_folders - row.folders.length;
    if (all) list.push(make("li", {}, `and ${plural(all, "more folder")}`));
    return make("details", {}, make("summary", {}, plural(row.n_folders, "folder")), make("ul", { class: "plain" }, ...list));
  };
  return tableOf("What the tables were made from", [
    { title: "made by", value: (row) => row.made_by, shown: (row) => (row.made_by ? name(row.made_by) : "another program") },
    { title: "tables", value: (row) => row.tables.join(", "), shown: (row) => row.tables.join(", ").replaceAll("_", " ") },
    { title: "files", value: (row) => row.n_files, isNumber: true },
    { title: "from", value: (row) => row.n_folders, shown: read },
  ], tables);
}

function versionsOf(data) {
  const made = Object.entries(data.versions).map(([version, count]) => `multirm ${version} (${plural(count, "file")})`);
  const packages = Object.entries(data.packages).map(([own, version]) => `${own} ${version}`);
  return [
    make("p", {}, "The tables were made by ", said(made.join(", ") || "other programs"), "."),
    make("p", {}, `Where this page was made, there are Python ${data.python}, ${packages.join(", ")}.`),
  ];
}

// Boxes in layers from left to right; two sweeps by the mean place of what a box is made from keep lines short.
function graphOf({ nodes, edges }) {
  const [width, height, gapX, gapY] = [190, 42, 44, 14];
  const layers = Math.max(...nodes.map((node) => node.layer)) + 1;
  const columns = Array.from({ length: layers }, (_, layer) => nodes.map((_, place) => place).filter((place) => nodes[place].layer === layer));
  const rows = new Map();
  for (const column of columns) column.forEach((place, row) => rows.set(place, row));
  for (const column of columns.slice(1)) {
    const mean = new Map(column.map((place) => {
      const before = edges.filter(([, to]) => to === place).map(([from]) => rows.get(from));
      return [place, before.length ? before.reduce((sum, each) => sum + each, 0) / before.length : rows.get(place)];
    }));
    column.sort((one, other) => mean.get(one) - mean.get(other)).forEach((place, row) => rows.set(place, row));
  }
  const tallest = Math.max(...columns.map((column) => column.length));
  const x = (place) => nodes[place].layer * (width + gapX);
  const y = (place) => (rows.get(place) + (tallest - columns[nodes[place].layer].length) / 2) * (height + gapY);
  const [w, h] = [layers * (width + gapX) - gapX + 2, tallest * (height + gapY) - gapY + 2];
  const picture = draw("svg", { class: "graph", width: w, height: h, viewBox: `-1 -1 ${w} ${h}`, role: "img", "aria-label": "Which modules read files of which others" });
  for (const [from, to] of edges) {
    const [x1, y1, x2, y2] = [x(from) + width, y(from) + height / 2, x(to), y(to) + height / 2];
    const bend = Math.max(24, (x2 - x1) / 2);
    picture.append(draw("path", { d: `M${x1},${y1}C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}` }));
  }
  nodes.forEach((node, place) => {
    const [stage, ...rest] = node.name.split(".");
    const own = plain(rest.join(" ").replaceAll("_", " ") || stage || "another program");
    picture.append(
      draw(
        "g",
        { transform: `translate(${x(place)},${y(place)})` },
        draw("title", {}, plain(node.name)),
        draw("rect", { width, height, rx: 6 }),
        draw("text", { x: 10, y: 18 }, own.length > 25 ? `${own.slice(0, 24)}…` : own),
        draw("text", { x: 10, y: 34, class: "small" }, `${rest.length ? `${plain(stage)}, ` : ""}${plural(node.n_files, "file")}`),
      ),
    );
  });
  return picture;
}
