// Trees in the section Solutions: of a search, or of solutions that were merged.

const ENDS = {
  overrun: "ends at a limit",
  looped: "ends in a loop",
  unscored: "ends without a reward",
  finished: "finished",
};

function treeOf(tree) {
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
