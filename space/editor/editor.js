// The face editor: dots to drag, expressions to mix, sliders; every change shows at once by the
// browser's own warp, and is painted by the server as often as it answers.
//
// A face's edit is an entry of a preset: {expression, moves, keep_expression}.

const FINEST = 768, COARSEST = 512; // pixels of the stage's long side
const FLYING = [2, 6]; // previews under way at once: near the server, and however far it is
const REST = 300; // ms without a change before the sharp preview, if the finger still holds on
const STEP = 0.012; // eye distances that an arrow key moves a dot
const PHONE = 420; // px of the stage below which dots are few and large
const STRONGEST = 1.5; // share of an expression
const FIRST = 11; // expressions that are offered before one asks for more

// Landmarks that move as one; left is the picture's left.
const DOTS = [
  ["left mouth corner", [48]], ["right mouth corner", [54]],
  ["upper lip", [51, 62]], ["lower lip", [57, 66]], ["chin", [8, 57, 66]],
  ["left brow, inner end", [21]], ["right brow, inner end", [22]],
  ["left brow", [19]], ["right brow", [24]],
  ["left eye: where it looks", [68, 69], 68], ["right eye: where it looks", [69, 68], 69],
];
const MORE_DOTS = [
  ["left upper lid", [37, 38]], ["right upper lid", [43, 44]],
  ["left brow, outer end", [17]], ["right brow, outer end", [26]],
  ["left lower lid", [40, 41]], ["right lower lid", [46, 47]],
  ["left nostril", [31]], ["right nostril", [35]],
  ["left jaw", [4]], ["right jaw", [12]],
];
const LINES = [
  [0, 17], [17, 22], [22, 27], [36, 42, true], [42, 48, true], [48, 60, true], [60, 68, true],
];

const root = element.querySelector(".editor");
const find = (selector) => root.querySelector(selector);
const stage = find(".stage"), canvas = find("canvas"), svg = find(".points");
const warp = new Warp(canvas);
let visit = null; // the photo: its key, the edits of its faces, their history
let session = null; // the face on the stage, with everything that belongs to it

const copy = (value) => JSON.parse(JSON.stringify(value));
const untouched = () => ({ expression: {}, moves: {}, keep_expression: true });
const isEmpty = (edit) =>
  edit.keep_expression && !Object.keys(edit.expression).length && !Object.keys(edit.moves).length;

// The text of a preset for {face: edit}.
function presetText(edits, indent) {
  const entries = Object.entries(edits).filter(([, edit]) => edit);
  const list = entries.map(([face, edit]) => ({ faces: [Number(face)], ...edit }));
  return JSON.stringify({ g2gan_preset: 1, edits: list }, null, indent);
}

function edited() {
  return Object.fromEntries(Object.entries(visit.edits).filter(([, edit]) => !isEmpty(edit)));
}

async function ask(name, question) {
  const answer = await server[name](question).catch(() => undefined);
  if (answer?.ok) return answer;
  say(answer?.error ?? "The server does not answer. Try again in a moment.", true);
  return null;
}

function say(text, trouble = false) {
  find(".said").textContent = text;
  find(".said").classList.toggle("trouble", trouble);
}

// ---- a photo comes, or another face of it

async function open(value) {
  if (element.offsetParent === null) return; // on a tab that is closed: when it is opened
  const key = value?.key ?? null, face = value?.face ?? 0;
  if (key && key === visit?.key) {
    if (face !== visit.face) openFace(face);
    return;
  }
  if (!key && !visit) return;
  session = null;
  visit = key && {
    key, face, edits: {}, history: [{ face, edits: "{}" }], at: 0, file: null, finishing: null,
  };
  root.dataset.state = key ? "opening" : "empty";
  say("");
  if (!key) return;
  const of = visit;
  if (!(await openFace(face)) || of !== visit) return;
  stage.scrollIntoView({ block: "nearest", behavior: "smooth" });
  const code = new URLSearchParams(location.hash.slice(1)).get("preset");
  if (code) await applyPreset(code);
}

async function openFace(face) {
  const of = visit;
  of.face = face;
  root.dataset.state = "opening";
  const answer = await ask("face", { key: of.key, face });
  if (of !== visit || face !== of.face) return false;
  if (!answer) {
    of.face = session?.face;
    root.dataset.state = session ? "ready" : "failed";
    return false;
  }
  const own = readStart(answer.start), original = await picture(own.picture);
  if (of !== visit || face !== of.face) return false;
  session = {
    key: of.key, face, own, original, answer,
    shape: new Shape(answer.model), size: answer.size,
    mesh: own.mesh, plain: null, count: (session?.count ?? 0) + 1, shown: 0, draft: true, flying: 0,
  };
  session.shown = session.count;
  const [width, height] = answer.size;
  stage.style.setProperty("--aspect", width / height);
  svg.setAttribute("viewBox", `0 0 ${1000 * width} ${1000 * height}`);
  Object.assign(root.dataset, { state: "ready", face });
  fit();
  warp.begin(answer.model, answer.size);
  warp.show(original, own.mesh);
  buildLooks(answer.looks);
  buildShortcuts(answer.shortcuts);
  buildSliders(answer.sliders);
  buildDots();
  change(edit());
  settle(session);
  const now = session;
  neutral(now).then(() => thumbnails(now));
  return true;
}

// Decoded once, and away from the page's own thread.
async function picture(source) {
  return createImageBitmap(await (await fetch(source)).blob());
}

// The face without its expression: made when first needed, and once.
function neutral(of) {
  of.coming ??= ask("neutral", { key: of.key, face: of.face }).then((answer) => {
    if (answer) of.plain = readStart(answer.start);
  });
  return of.coming;
}

// ---- the edit

function edit() {
  return visit.edits[session.face] ?? untouched();
}

// Show an edit at once; it becomes a step of the history with `commit`. While it moves, the server
// paints it on the way as well.
async function change(next, moving = false) {
  const of = session, edits = visit.edits;
  compare(false);
  edits[of.face] = next;
  visit.file = null;
  if (!dragged?.shown) refresh(); // a dot that goes on moving changes no button
  if (dragged) dragged.shown = true;
  if (!next.keep_expression && !of.plain) await neutral(of);
  if (of === session && visit.edits[of.face] === next) {
    draw();
    if (moving) request();
  }
}

function commit() {
  const edits = JSON.stringify(edited());
  if (edits !== visit.history[visit.at].edits) {
    visit.history.splice(visit.at + 1, Infinity, { face: session.face, edits });
    visit.at++;
  }
  say("");
  refresh();
  bare(byFinger.matches);
  settle(session);
}

function travel(step) {
  const to = visit.at + step;
  if (!visit.history[to]) return;
  const { face } = visit.history[Math.max(to, visit.at)]; // whose edit it was that comes or goes
  visit.at = to;
  visit.edits = JSON.parse(visit.history[to].edits);
  visit.file = null;
  if (face === session.face) {
    change(edit());
    settle(session);
    return;
  }
  props.value = { key: visit.key, face };
  trigger("input"); // for those who show whose face it is
  if (face !== visit.face) openFace(face);
}

// ---- what is seen

function start() {
  return !edit().keep_expression && session.plain ? session.plain : session.own;
}

let frame = 0;
function draw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    if (!session) return;
    session.mesh = session.shape.mesh(start(), edit());
    if (!session.kept) warp.draw(session.mesh);
    placeDots();
    root.dataset.drawn = Number(root.dataset.drawn ?? 0) + 1;
  });
}

// Ask for the picture of the edit as it is; at most a few under way, and always the latest last.
function request() {
  session.dirty = true;
  if (session.flying < (session.most ?? FLYING[0])) send(session, true);
  clearTimeout(session.rest);
  session.rest = setTimeout(sharpen, REST, session);
}

function sharpen(of) {
  clearTimeout(of.rest);
  if (of === session && (of.draft || of.asked !== ownPreset(of))) send(of, false);
}

function ownPreset(of) {
  return presetText({ [of.face]: edit() });
}

// The edit is as it shall be, for now: seen sharp, and made in the whole photo meanwhile, so that
// its file is there when it is asked for.
async function settle(of) {
  const edits = visit.edits;
  if (!edit().keep_expression) await neutral(of);
  if (of !== session || edits !== visit.edits) return;
  sharpen(of);
  finish(of);
}

async function send(of, draft) {
  const { key, face } = of, preset = ownPreset(of);
  Object.assign(of, { dirty: false, draft, asked: preset });
  if (isEmpty(edit())) {
    of.shown = ++of.count; // nothing that is still under way may replace the photo
    of.draft = false;
    warp.show(of.original, of.own.mesh);
    draw();
    return;
  }
  const number = ++of.count, begun = performance.now();
  of.flying++;
  const answer = await ask("preview", { key, face, preset, draft, number });
  const image = answer?.picture && number > of.shown ? await picture(answer.picture) : null;
  of.flying--;
  if (of !== session) return;
  if (image && number > of.shown) {
    of.shown = number;
    if (session.kept) session.kept = [image, floats(answer.mesh)];
    else warp.show(image, floats(answer.mesh));
    draw();
    const away = performance.now() - begun - answer.ms;
    const [near, most] = FLYING;
    of.most = Math.min(most, near + Math.floor(away / Math.max(answer.ms, 20)));
    root.dataset.previews = Number(root.dataset.previews ?? 0) + 1;
    root.dataset.sharp = draft ? "no" : "yes";
  }
  if (!answer) of.shown = of.count; // what cannot be painted is not asked for again
  if (of.dirty) send(of, true);
}

// The whole photo with every edit, as a file; null where there is none. One at a time: what is
// edited meanwhile is made next.
async function finish(of) {
  const now = visit;
  await now.finishing;
  const edits = edited();
  if (of !== session || !Object.keys(edits).length) return null;
  now.file ??= ask("finish", { key: now.key, preset: presetText(edits) }).then((file) => {
    root.dataset.finished = Number(root.dataset.finished ?? 0) + (file ? 1 : 0);
    return file;
  });
  now.finishing = now.file;
  return now.file;
}

// ---- dots

let dragged = null, everyDot = false;
const DOTS_SHOWN = { few: ["every", "few"], every: ["none", "all"], none: ["few", "none"] };

function dots() {
  if (everyDot)
    return session.shape.handles.map((_, i) => [`point ${i + 1}`, [i]]).concat(DOTS.slice(-2));
  return stage.clientWidth < PHONE ? DOTS : [...DOTS, ...MORE_DOTS];
}

function buildDots() {
  const shape = ([label], index) =>
    `<g class="dot" tabindex="0" role="button" aria-label="${label}; move with the arrow keys" data-dot="${index}"><title>${label}</title><circle class="reach"/><circle class="seen"/></g>`;
  svg.innerHTML = LINES.map(() => `<path class="line"/>`).join("") + dots().map(shape).join("");
  svg.classList.toggle("every", everyDot);
  sizeDots();
  placeDots();
}

function place([, points, shown]) {
  const { mesh, shape } = session;
  const irises = new Map(shape.irises);
  const all = shown !== undefined ? [irises.get(shown)] : points.map((i) => irises.get(i) ?? shape.handles[i]);
  return [0, 1].map((axis) => all.reduce((sum, p) => sum + mesh[2 * p + axis], 0) / all.length);
}

function placeDots() {
  const shown = dots(); // asked for once: the page is laid out for it
  if (svg.childElementCount !== LINES.length + shown.length) return;
  if (dragged) { // the others are out of sight
    moveTo(svg.querySelector(".held"), shown[dragged.index]);
    return;
  }
  svg.querySelectorAll(".line").forEach((path, i) => {
    const [from, to, closed] = LINES[i];
    const points = session.shape.handles.slice(from, to)
      .map((p) => `${1000 * session.mesh[2 * p]} ${1000 * session.mesh[2 * p + 1]}`);
    path.setAttribute("d", `M${points.join("L")}${closed ? "Z" : ""}`);
  });
  svg.querySelectorAll(".dot").forEach((node, i) => moveTo(node, shown[i]));
}

function moveTo(node, dot) {
  const [x, y] = place(dot);
  node.setAttribute("transform", `translate(${1000 * x} ${1000 * y})`);
}

function sizeDots() {
  const width = stage.clientWidth || 1, pixel = (1000 * session.size[0]) / width;
  svg.querySelectorAll(".dot").forEach((node, i) => {
    node.querySelector(".reach").setAttribute("r", pixel * (everyDot ? 9 : width < PHONE ? 19 : 15));
    node.querySelector(".seen").setAttribute("r", pixel * (everyDot ? 2.6 : i < DOTS.length ? 5 : 3.5));
  });
}

// Fingers are wider than dots are apart: the nearest one is meant.
function nearest(event) {
  const box = svg.getBoundingClientRect();
  let best = null, least = Infinity;
  dots().forEach((dot, i) => {
    const [x, y] = place(dot);
    const away = Math.hypot(
      box.left + (x / session.size[0]) * box.width - event.clientX,
      box.top + (y / session.size[1]) * box.height - event.clientY,
    );
    if (away < least) [best, least] = [i, away];
  });
  return best;
}

function moveDot(index, from, by) {
  const next = copy(edit()), [x, y] = alongHead(start().axes, by);
  const { handles, mirror } = session.shape, landmarks = dots()[index][1];
  const move = (landmark, x, y) => {
    const [x0, y0] = from[landmark] ?? [0, 0];
    const reach = landmark >= handles.length ? 0.16 : 0.9; // eyes turn, they do not leave
    next.moves[landmark] = [x0 + x, y0 + y].map((v) => Math.min(Math.max(v, -reach), reach));
  };
  for (const landmark of landmarks) {
    move(landmark, x, y);
    const twin = mirror[landmark];
    if (together && !landmarks.includes(twin)) move(twin, -x, y);
  }
  change(next, true);
}

svg.addEventListener("pointerdown", (event) => {
  if (!event.target.closest(".dot") || dragged) return;
  event.preventDefault();
  const index = nearest(event);
  svg.setPointerCapture(event.pointerId);
  dragged = { index, from: copy(edit().moves), x: event.clientX, y: event.clientY };
  root.dataset.dragging = "yes";
  const node = svg.querySelector(`[data-dot="${index}"]`);
  node.classList.add("held");
  node.focus({ preventScroll: true });
});
// else the page would scroll from under the finger: touch-action does not hold inside an SVG
svg.addEventListener("touchstart", (event) => {
  if (event.target.closest(".dot")) event.preventDefault();
}, { passive: false });
svg.addEventListener("pointermove", (event) => {
  if (!dragged) return;
  const unit = session.size[0] / stage.clientWidth;
  dragged.moved = true;
  moveDot(dragged.index, dragged.from, [
    (event.clientX - dragged.x) * unit, (event.clientY - dragged.y) * unit,
  ]);
});
for (const end of ["pointerup", "pointercancel"])
  svg.addEventListener(end, () => {
    if (!dragged) return;
    svg.querySelector(".held")?.classList.remove("held");
    const { moved } = dragged;
    dragged = null;
    delete root.dataset.dragging;
    placeDots();
    if (moved) commit();
  });
svg.addEventListener("dblclick", (event) => {
  const dot = event.target.closest(".dot");
  if (!dot) return;
  const next = copy(edit());
  for (const landmark of dots()[dot.dataset.dot][1]) {
    delete next.moves[landmark];
    if (together) delete next.moves[session.shape.mirror[landmark]];
  }
  change(next);
  commit();
});
// Under a finger nothing hovers: dots make way for what was done, until the face is touched again.
const byFinger = matchMedia("(hover: none)");
function bare(yes) {
  root.classList.toggle("bare", yes && root.classList.contains("touched"));
}
stage.addEventListener("pointerdown", (event) => {
  if (byFinger.matches) bare(!event.target.closest(".dot") && !root.classList.contains("bare"));
}, true);

let typed = 0;
svg.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const dot = event.target.closest(".dot");
  if (!way || !dot) return;
  event.preventDefault();
  const unit = start().axes.unit * STEP * (event.shiftKey ? 4 : 1);
  moveDot(Number(dot.dataset.dot), edit().moves, way.map((v) => v * unit));
  clearTimeout(typed);
  typed = setTimeout(commit, 400);
});

// ---- expressions, shortcuts

function buildLooks(looks) {
  const button = ({ name, label }, i) =>
    `<button type="button" class="look ${i < FIRST ? "" : "further"}" data-look="${name}" aria-pressed="false"><span class="face"></span><span>${label}</span></button>`;
  find(".looks").innerHTML = [{ name: "", label: "As it is" }, ...looks].map(button).join("");
  find('[data-look=""] .face').style.backgroundImage = `url(${session.answer.small})`;
  all.hidden = looks.length < FIRST;
}

async function thumbnails(of) {
  for (const { name } of of.answer.looks) {
    if (of !== session) return;
    const answer = await ask("look", { key: of.key, face: of.face, name });
    const face = find(`[data-look="${name}"] .face`);
    if (of === session && answer && face) face.style.backgroundImage = `url(${answer.picture})`;
  }
  root.dataset.thumbnails = of.answer.looks.length;
}

const all = find(".all");
function showAll(yes) {
  find(".looks").classList.toggle("whole", yes);
  all.setAttribute("aria-expanded", yes);
  all.textContent = yes ? "Fewer expressions" : "More expressions";
}
all.addEventListener("click", () => showAll(all.getAttribute("aria-expanded") === "false"));

function chosenLooks() {
  return session.answer.looks.filter(({ name }) => name in edit().expression);
}

find(".looks").addEventListener("click", (event) => {
  const name = event.target.closest(".look")?.dataset.look;
  if (name === undefined || !session) return;
  if (name === "") {
    change(untouched());
    commit();
    return;
  }
  const next = copy(edit()), chosen = chosenLooks();
  const share = next.expression[name];
  const mixing = find(".mixing").checked && name !== "neutral";
  if (!mixing) for (const each of chosen) delete next.expression[each.name];
  next.keep_expression = false;
  if (mixing && share) delete next.expression[name];
  else if (name !== "neutral") next.expression[name] = mixing && chosen.length ? 0.5 : 1;
  change(next);
  commit();
});

function buildShortcuts(shortcuts) {
  const button = ({ label }, i) => `<button type="button" data-shortcut="${i}">${label}</button>`;
  find(".shortcuts").innerHTML = shortcuts.map(button).join("");
}

function isTaken({ names }) {
  return names.every((name) => edit().expression[name]);
}

find(".shortcuts").addEventListener("click", (event) => {
  const shortcut = session?.answer.shortcuts[event.target.dataset.shortcut];
  if (!shortcut) return;
  const next = copy(edit()), taken = isTaken(shortcut);
  for (const name of shortcut.names) {
    if (taken) delete next.expression[name];
    else next.expression[name] = 1;
  }
  change(next);
  commit();
});

// ---- sliders

let together = true; // what one side does the other does too: dots and sliders
function setTogether(yes) {
  together = yes;
  find('[data-do="sides"]').setAttribute("aria-pressed", yes);
  buildSliders(session.answer.sliders);
  refresh();
}

function slider(attributes, label, value, low, high) {
  return `<input type="range" min="${low}" max="${high}" step="0.02" value="${value}" aria-label="${label}" ${attributes}>`;
}

function buildSliders(sliders) {
  find(".fine").hidden = !sliders.length;
  find(".sliders").innerHTML = sliders.map(({ less, more, sides }, row) => {
    const what = less ? `${less} to ${more}` : more, low = less ? -1 : 0;
    const inputs = together || sides.length === 1
      ? slider(`data-row="${row}"`, what, 0, low, 1)
      : ["left", "right"].map((side, i) =>
        `<span class="half">${slider(`data-row="${row}" data-side="${i}"`, `${what}, ${side}`, 0, low, 1)}<small aria-hidden="true">${side}</small></span>`).join("");
    const ends = `<span class="less">${less || more}</span><span class="greater">${less ? more : ""}</span>`;
    return `<div class="row">${ends}<span class="inputs">${inputs}</span></div>`;
  }).join("");
}

function sideValue([less, more]) {
  const { expression } = edit();
  return (expression[more] ?? 0) - (less ? (expression[less] ?? 0) : 0);
}

function slide({ dataset, value }) {
  const next = copy(edit()), amount = Number(value);
  const set = (name, share) => {
    if (!name) return;
    if (share > 0) next.expression[name] = share;
    else delete next.expression[name];
  };
  if (dataset.look) set(dataset.look, amount || 0.001); // a look at 0 stays chosen
  else {
    const { sides } = session.answer.sliders[dataset.row];
    const moved = dataset.side === undefined ? sides : [sides[dataset.side]];
    for (const [less, more] of moved) {
      set(less, -amount);
      set(more, amount);
    }
  }
  change(next, true);
}

let sliding = null;
find(".right").addEventListener("input", ({ target }) => {
  if (target.type !== "range" || !session) return;
  sliding = target;
  slide(target);
});
find(".right").addEventListener("change", ({ target }) => {
  if (target.type !== "range" || !session) return;
  sliding = null;
  commit();
});
find(".right").addEventListener("dblclick", ({ target }) => {
  if (target.dataset.row === undefined || !session) return;
  target.value = 0;
  slide(target);
  commit();
});

// The track is coloured from 0 to where the thumb is.
function fill(input) {
  const { min, max, value } = input, share = (at) => (100 * (at - min)) / (max - min);
  const [from, to] = [share(0), share(value)].sort((a, b) => a - b);
  input.style.setProperty("--from", `${from}%`);
  input.style.setProperty("--to", `${to}%`);
}

// ---- buttons and sliders show the edit as it is

function refresh() {
  const now = edit(), chosen = chosenLooks(), { sliders, shortcuts } = session.answer;
  root.querySelectorAll(".look").forEach((node) => {
    const { look } = node.dataset;
    const on = look === "" ? isEmpty(now)
      : look === "neutral" ? !now.keep_expression && !chosen.length : look in now.expression;
    node.setAttribute("aria-pressed", on);
  });
  if (chosen.length > 1) find(".mixing").checked = true;
  const shares = find(".shares"), names = chosen.map(({ name }) => name).join();
  if (shares.dataset.names !== names) {
    shares.dataset.names = names;
    shares.innerHTML = chosen.map(({ name, label }) => {
      const shown = chosen.length > 1 ? label : "Strength";
      return `<div class="row"><span class="less">${shown}</span><output class="greater"></output><span class="inputs">${slider(`data-look="${name}"`, shown, 1, 0, STRONGEST)}</span></div>`;
    }).join("");
  }
  shares.querySelectorAll("input").forEach((input) => {
    const share = now.expression[input.dataset.look];
    if (input !== sliding) input.value = share;
    input.closest(".row").querySelector("output").textContent = `${Math.round(100 * share)}%`;
    fill(input);
  });
  const uneven = sliders.some(({ sides: [a, b] }) => b && Math.abs(sideValue(a) - sideValue(b)) > 1e-6);
  if (uneven && together) {
    setTogether(false);
    return;
  }
  root.querySelectorAll(".sliders input").forEach((input) => {
    const { row, side } = input.dataset;
    if (input !== sliding) input.value = sideValue(sliders[row].sides[side ?? 0]);
    fill(input);
  });
  root.querySelectorAll("[data-shortcut]").forEach((node) =>
    node.setAttribute("aria-pressed", isTaken(shortcuts[node.dataset.shortcut])));
  const any = Object.keys(edited()).length > 0;
  const able = { undo: visit.at > 0, redo: visit.at < visit.history.length - 1 };
  able.reset = able.mirror = able.compare = !isEmpty(now);
  able.everybody = able.reset;
  find('[data-do="everybody"]').hidden = session.answer.faces < 2;
  able.link = able.preset = able.download = any;
  for (const [name, yes] of Object.entries(able)) find(`[data-do="${name}"]`).disabled = !yes;
  find(".main").title = any ? "" : "Change something first";
  root.classList.toggle("touched", !isEmpty(now));
}

// ---- tools

function mirrored({ expression, moves, keep_expression }) {
  const { twins, mirror } = session.shape;
  const swapped = (entries, other) => Object.fromEntries(Object.entries(entries).map(other));
  return {
    expression: swapped(expression, ([name, share]) => [twins[name] ?? name, share]),
    moves: swapped(moves, ([i, [x, y]]) => [mirror[i], [-x, y]]),
    keep_expression,
  };
}

// Half an edit, half its mirror image: alike on both sides.
function evened(own) {
  const other = mirrored(own), shares = {}, moves = {};
  for (const { expression, moves: moved } of [own, other]) {
    for (const [name, share] of Object.entries(expression)) shares[name] = (shares[name] ?? 0) + share / 2;
    for (const [i, [x, y]] of Object.entries(moved)) {
      const [x0, y0] = moves[i] ?? [0, 0];
      moves[i] = [x0 + x / 2, y0 + y / 2];
    }
  }
  return { ...own, expression: shares, moves };
}

function save(address, name) {
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
}

async function download(button) {
  button.classList.add("busy");
  const file = await finish(session);
  button.classList.remove("busy");
  if (!file) {
    visit.file = null; // to be tried again
    return;
  }
  const { root: site, api_prefix: api } = window.gradio_config;
  const path = file.path.split("/").map(encodeURIComponent).join("/");
  save(`${site}${api}/file=${path}`, file.name);
}

const TOOLS = {
  undo: () => travel(-1),
  redo: () => travel(1),
  sides: () => {
    if (!together) change(evened(edit()));
    setTogether(!together);
    commit();
  },
  mirror: () => { change(mirrored(edit())); commit(); },
  reset: () => { change(untouched()); setTogether(true); commit(); },
  compare: () => compare(!root.classList.contains("comparing")),
  everybody: () => {
    for (let face = 0; face < session.answer.faces; face++) visit.edits[face] = copy(edit());
    commit();
    say("Everybody has this expression now.");
  },
  dots: (button) => {
    const [shown] = DOTS_SHOWN[root.dataset.dots ?? "few"];
    root.dataset.dots = shown;
    button.querySelector("span").textContent = `Dots: ${DOTS_SHOWN[shown][1]}`;
    everyDot = shown === "every";
    buildDots();
  },
  download,
  link: async () => {
    const code = btoa(presetText(edited())).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const address = new URL(location.href);
    address.hash = `preset=${code}`;
    await navigator.clipboard.writeText(address.href).then(
      () => say("Link copied. It holds the edit, never the photo."),
      () => { location.hash = address.hash; say("The link stands in the address bar. It never holds the photo."); },
    );
  },
  preset: () => {
    const file = new Blob([presetText(edited(), 1)], { type: "application/json" });
    const address = URL.createObjectURL(file);
    save(address, "expression.json");
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  },
};
root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (session && button && !button.disabled) TOOLS[button.dataset.do]?.(button);
});
find(".file input").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  const text = file && await file.text();
  event.target.value = "";
  if (session && text !== undefined) applyPreset(text.includes("{") ? text : "{}");
});

// `text`: a preset, or its code as a link carries it.
async function applyPreset(text) {
  const of = visit, answer = await ask("preset", { key: of.key, text });
  if (!answer || of !== visit) return;
  of.edits = answer.edits;
  of.file = null;
  change(edit());
  commit();
}

// The photo as it was, or again the edit.
function compare(original) {
  if (original === root.classList.contains("comparing")) return;
  root.classList.toggle("comparing", original);
  find('[data-do="compare"]').setAttribute("aria-pressed", original);
  if (original) {
    session.kept = [warp.image, warp.source];
    warp.show(session.original, session.own.mesh);
    warp.draw(session.own.mesh);
  } else if (session.kept) {
    warp.show(...session.kept);
    session.kept = null;
    draw();
  }
}

root.addEventListener("keydown", (event) => {
  if (!session || !(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  if (key === "z") travel(event.shiftKey ? 1 : -1);
  else if (key === "y") travel(1);
  else return;
  event.preventDefault();
});

// The stage has the pixels that are seen of it.
function fit() {
  const [width, height] = session.size, seen = (stage.clientWidth / width) * devicePixelRatio;
  const side = Math.min(Math.max(Math.ceil(seen), COARSEST), FINEST);
  const fitted = [Math.round(side * width), Math.round(side * height)];
  if (canvas.width === fitted[0] && canvas.height === fitted[1]) return;
  [canvas.width, canvas.height] = fitted;
  draw();
}

new ResizeObserver(() => {
  if (!session) return;
  fit();
  if (svg.childElementCount !== LINES.length + dots().length) buildDots();
  else sizeDots();
}).observe(stage);
watch("value", () => open(props.value));
new IntersectionObserver(() => open(props.value), { rootMargin: "9999px" }).observe(element);
