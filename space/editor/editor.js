// The face editor: dots to drag, expressions to mix, sliders; every change shows at once by the
// browser's own warp, and is painted by the server as often as it answers.

const SHARP = 768, QUICK = 384; // pixels of a view's long side: at rest, and while it moves
const MOST_FLYING = 4; // previews under way at once, however far the server is
const STEP = 0.012; // eye distances that an arrow key moves a dot
const PHONE = 560; // px of the stage below which dots are few and large

// Landmarks that move as one, seen from the visitor: "left" is the picture's left.
const DOTS = [
  ["left mouth corner", [48]], ["right mouth corner", [54]],
  ["upper lip", [51, 62]], ["lower lip", [57, 66]], ["chin", [8, 57, 66]],
  ["left brow, inner end", [21]], ["right brow, inner end", [22]],
  ["left brow", [19]], ["right brow", [24]],
  ["left upper lid", [37, 38]], ["right upper lid", [43, 44]],
  ["left eye: where it looks", [68, 69], 68], ["right eye: where it looks", [69, 68], 69],
];
const MORE_DOTS = [
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
let session = null; // the photo and face on the stage, with everything that belongs to them

const nothing = (face) => ({ face, plain: false, blend: {}, moves: {} });
const copy = (value) => JSON.parse(JSON.stringify(value));
const isEmpty = (edit) =>
  !edit.plain && !Object.values(edit.blend).some(Boolean) && !Object.keys(edit.moves).length;

async function ask(name, question) {
  const answer = await server[name](question).catch(() => undefined);
  if (answer?.ok) return answer;
  say(answer?.error ?? "The server does not answer. Try again in a moment.");
  return null;
}

function say(text) {
  find(".said").textContent = text;
}

// ---- a photo comes, or another face of it

async function open(value) {
  if (!value?.key) {
    session = null;
    root.dataset.state = "empty";
    return;
  }
  const { key, face } = value;
  const before = session?.key === key ? session : null;
  root.dataset.state = before ? "ready" : "opening";
  const answer = await ask("face", { key, face });
  if (!answer || props.value?.key !== key || (props.value.face ?? 0) !== face) return;
  const shape = new Shape(answer.model);
  session = {
    key, face, shape,
    size: answer.size,
    own: readStart(answer.start),
    plain: null,
    edits: before?.edits ?? {},
    history: before?.history ?? ["{}"],
    at: before?.at ?? 0,
    count: 0, shown: 0, side: 0, flying: 0, dirty: false,
  };
  canvas.width = Math.round(SHARP * answer.size[0]);
  canvas.height = Math.round(SHARP * answer.size[1]);
  stage.style.setProperty("--aspect", answer.size[0] / answer.size[1]);
  svg.setAttribute("viewBox", `0 0 ${1000 * answer.size[0]} ${1000 * answer.size[1]}`);
  session.warp = new Warp(canvas, answer.model, answer.size);
  session.original = await picture(session.own.picture);
  session.warp.show(session.original, session.own.mesh);
  root.dataset.state = "ready";
  buildLooks(answer);
  buildControls(answer);
  const asked = !before && fromLink();
  if (asked) change(asked);
  else refresh();
  if (isEmpty(edit())) session.warp.draw(session.own.mesh);
  else request();
  neutral(session).then(() => thumbnails(session, answer));
}

async function picture(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
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
  return session.edits[session.face] ?? nothing(session.face);
}

// Show an edit at once; it becomes a step of the history with `commit`.
async function change(next) {
  const of = session;
  of.edits[of.face] = next;
  refresh();
  if (next.plain && !of.plain) await neutral(of);
  if (of === session && of.edits[of.face] === next) {
    draw();
    request();
  }
}

function commit() {
  const step = JSON.stringify(session.edits);
  if (step !== session.history[session.at]) {
    session.history.splice(session.at + 1, Infinity, step);
    session.at++;
  }
  deliver();
  refresh();
}

function deliver() {
  const edits = Object.values(session.edits).filter((one) => !isEmpty(one));
  props.value = { key: session.key, face: session.face, edits };
  trigger("submit");
}

function travel(step) {
  session.at = Math.min(Math.max(session.at + step, 0), session.history.length - 1);
  session.edits = JSON.parse(session.history[session.at]);
  change(copy(edit()));
  deliver();
}

// ---- what is seen

function start() {
  return edit().plain && session.plain ? session.plain : session.own;
}

let frame = 0;
function draw() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    if (!session) return;
    session.mesh = session.shape.mesh(start(), edit());
    session.warp.draw(session.mesh);
    placeDots();
    root.dataset.drawn = Number(root.dataset.drawn ?? 0) + 1;
  });
}

// Ask for the picture of the edit as it is; at most a few under way, and always the latest last.
function request() {
  session.dirty = true;
  while (session.dirty && session.flying < (session.most ?? 2)) send(session, QUICK);
  clearTimeout(session.rest);
  session.rest = setTimeout(settle, 140, session);
}

function settle(of) {
  if (of !== session) return;
  if (of.flying || dragged) of.rest = setTimeout(settle, 60, of);
  else if (of.side < SHARP || of.shown < of.count) send(of, SHARP);
}

async function send(of, side) {
  of.dirty = false;
  if (isEmpty(edit())) {
    of.shown = ++of.count; // nothing that is still under way may replace the photo
    of.side = SHARP;
    of.warp.show(of.original, of.own.mesh);
    draw();
    return;
  }
  const number = ++of.count, begun = performance.now();
  of.flying++;
  const answer = await ask("preview", { key: of.key, edit: edit(), side, number });
  of.flying--;
  if (of !== session || !answer) return;
  if (answer.picture && number > of.shown) {
    const image = await picture(answer.picture);
    if (of !== session || number < of.shown) return;
    of.shown = number;
    of.side = side;
    of.warp.show(image, floats(answer.mesh));
    draw();
    const away = performance.now() - begun - answer.ms;
    of.most = Math.min(MOST_FLYING, 2 + Math.round(away / Math.max(answer.ms, 20)));
    root.dataset.previews = Number(root.dataset.previews ?? 0) + 1;
    root.dataset.side = side;
  }
  if (of.dirty) send(of, QUICK);
}

// ---- dots

let dragged = null, everyDot = false;

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
  placeDots();
}

function place([, points, shown]) {
  const { mesh, shape } = session;
  const irises = new Map(shape.irises);
  const all = shown !== undefined ? [irises.get(shown)] : points.map((i) => irises.get(i) ?? shape.handles[i]);
  return [0, 1].map((axis) => all.reduce((sum, p) => sum + mesh[2 * p + axis], 0) / all.length);
}

function placeDots() {
  if (!session.mesh || svg.childElementCount !== LINES.length + dots().length) return;
  const pixel = (1000 * session.size[0]) / (stage.clientWidth || 1);
  const coarse = stage.clientWidth < PHONE;
  svg.querySelectorAll(".line").forEach((path, i) => {
    const [from, to, closed] = LINES[i];
    const points = session.shape.handles.slice(from, to)
      .map((p) => `${1000 * session.mesh[2 * p]} ${1000 * session.mesh[2 * p + 1]}`);
    path.setAttribute("d", `M${points.join("L")}${closed ? "Z" : ""}`);
  });
  svg.querySelectorAll(".dot").forEach((node, i) => {
    const [x, y] = place(dots()[i]);
    node.setAttribute("transform", `translate(${1000 * x} ${1000 * y})`);
    node.querySelector(".reach").setAttribute("r", pixel * (everyDot ? 9 : coarse ? 19 : 15));
    node.querySelector(".seen").setAttribute("r", pixel * (everyDot ? 2.6 : coarse ? 6 : 5));
  });
}

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
  for (const landmark of dots()[index][1]) {
    const [x0, y0] = from[landmark] ?? [0, 0];
    const reach = landmark >= session.shape.handles.length ? 0.16 : 0.9; // eyes turn, they do not leave
    next.moves[landmark] = [x0 + x, y0 + y].map((v) => Math.min(Math.max(v, -reach), reach));
  }
  change(next);
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
    if (moved) commit();
  });
svg.addEventListener("dblclick", (event) => {
  const dot = event.target.closest(".dot");
  if (!dot) return;
  const next = copy(edit());
  for (const landmark of dots()[dot.dataset.dot][1]) delete next.moves[landmark];
  change(next);
  commit();
});
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

// ---- expressions and sliders

function buildLooks({ looks }) {
  const button = ({ name, label }) =>
    `<button type="button" class="look" data-look="${name}" aria-pressed="false"><span class="face"></span><span>${label}</span></button>`;
  find(".looks").innerHTML = [{ name: "", label: "As in photo" }, ...looks].map(button).join("");
  find('[data-look=""] .face').style.backgroundImage = `url(${session.own.picture})`;
}

async function thumbnails(of, { looks }) {
  for (const { name } of looks) {
    if (of !== session) return;
    const answer = await ask("look", { key: of.key, face: of.face, name });
    const face = find(`[data-look="${name}"] .face`);
    if (of === session && answer && face) face.style.backgroundImage = `url(${answer.picture})`;
  }
}

find(".looks").addEventListener("click", (event) => {
  const name = event.target.closest(".look")?.dataset.look;
  if (name === undefined) return;
  const next = copy(edit());
  if (name === "" || name === "neutral") {
    for (const { name: look } of session.shape.looks) delete next.blend[look];
    next.plain = name === "neutral";
  } else if (name in next.blend) {
    delete next.blend[name];
  } else {
    const mixed = session.shape.looks.some(({ name: look }) => look in next.blend);
    next.blend[name] = mixed ? 0.5 : 1;
    next.plain = true;
  }
  change(next);
  commit();
});

function buildControls({ controls }) {
  find(".fine").hidden = !controls.length;
  find(".controls").innerHTML = controls.map(({ name, label, low, high }) => slider(name, label, 0, low, high)).join("");
}

function slider(name, label, value, low, high) {
  return `<label class="share"><span>${label}</span><input type="range" min="${low}" max="${high}" step="0.02" value="${value}" data-name="${name}"></label>`;
}

function refresh() {
  const now = edit(), { looks } = session.shape;
  const active = looks.filter(({ name }) => name in now.blend);
  root.querySelectorAll(".look").forEach((node) => {
    const { look } = node.dataset;
    const on = look === "" ? !now.plain : look === "neutral" ? now.plain && !active.length : look in now.blend;
    node.setAttribute("aria-pressed", on);
  });
  const shares = find(".shares");
  const names = active.map(({ name }) => name).join();
  if (shares.dataset.names !== names) {
    shares.dataset.names = names;
    shares.innerHTML = active.map(({ name, label }) => slider(name, label, now.blend[name], 0, 1.5)).join("");
  }
  root.querySelectorAll(".share input").forEach((input) => {
    if (input !== document.activeElement || !sliding) input.value = now.blend[input.dataset.name] ?? 0;
  });
  const able = { undo: session.at > 0, redo: session.at < session.history.length - 1 };
  able.reset = able.mirror = able.compare = able.link = able.preset = !isEmpty(now);
  for (const [name, yes] of Object.entries(able)) find(`[data-do="${name}"]`).disabled = !yes;
  root.classList.toggle("touched", !isEmpty(now));
  if (svg.childElementCount !== LINES.length + dots().length) {
    session.mesh ??= session.own.mesh;
    buildDots();
  }
}

let sliding = false;
find(".right").addEventListener("input", (event) => {
  const { name } = event.target.dataset;
  if (!name) return;
  sliding = true;
  const next = copy(edit()), value = Number(event.target.value);
  next.blend[name] = value;
  const twin = session.shape.twins[name];
  if (twin && find(".together").checked) next.blend[twin] = value;
  if (!session.shape.looks.some((look) => look.name === name) && !value) delete next.blend[name];
  change(next);
});
find(".right").addEventListener("change", (event) => {
  sliding = false;
  if (event.target.dataset.name) commit();
});

// ---- tools

const MIRRORED = (now) => {
  const swap = (name) => session.shape.twins[name] ?? name;
  return {
    ...now,
    blend: Object.fromEntries(Object.entries(now.blend).map(([name, share]) => [swap(name), share])),
    moves: Object.fromEntries(
      Object.entries(now.moves).map(([i, [x, y]]) => [session.shape.mirror[i], [-x, y]]),
    ),
  };
};
const TOOLS = {
  undo: () => travel(-1),
  redo: () => travel(1),
  mirror: () => { change(MIRRORED(edit())); commit(); },
  reset: () => { change(nothing(session.face)); commit(); },
  dots: (button) => {
    everyDot = !everyDot;
    button.setAttribute("aria-pressed", everyDot);
    buildDots();
  },
  link: async () => {
    const { plain, blend, moves } = edit();
    const text = btoa(JSON.stringify({ plain, blend, moves })).replaceAll("+", "-").replaceAll("/", "_");
    const address = new URL(location.href);
    address.hash = `edit=${text}`;
    await navigator.clipboard.writeText(address.href).then(
      () => say("Link copied. It holds the edit, never the photo."),
      () => { location.hash = address.hash; say("The link stands in the address bar."); },
    );
  },
  preset: () => {
    const { plain, blend, moves } = edit();
    const file = new Blob([JSON.stringify({ plain, blend, moves }, null, 1)], { type: "application/json" });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: "expression.json" });
    link.click();
    URL.revokeObjectURL(link.href);
  },
};
root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (session && button && !button.disabled) TOOLS[button.dataset.do]?.(button);
});
find(".file input").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file && session) applyPreset(await file.text());
});

function applyPreset(text) {
  try {
    const { plain, blend, moves } = JSON.parse(text);
    change({ face: session.face, plain: Boolean(plain), blend: { ...blend }, moves: { ...moves } });
    commit();
  } catch {
    say("This file is no preset.");
  }
}

function fromLink() {
  const text = new URLSearchParams(location.hash.slice(1)).get("edit");
  if (!text) return null;
  try {
    const { plain, blend, moves } = JSON.parse(atob(text.replaceAll("-", "+").replaceAll("_", "/")));
    return { face: session.face, plain: Boolean(plain), blend: { ...blend }, moves: { ...moves } };
  } catch {
    return null;
  }
}

const compare = find('[data-do="compare"]');
function look(original) {
  if (!session) return;
  root.classList.toggle("comparing", original);
  const { warp } = session;
  if (original && !session.kept) {
    session.kept = [warp.image, warp.source];
    warp.show(session.original, session.own.mesh);
    warp.draw(session.own.mesh);
  } else if (!original && session.kept) {
    warp.show(...session.kept);
    session.kept = null;
    draw();
  }
}
compare.addEventListener("pointerdown", () => look(true));
compare.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && look(true));
for (const end of ["pointerup", "pointerleave", "keyup", "blur"]) compare.addEventListener(end, () => look(false));

root.addEventListener("keydown", (event) => {
  if (!session || !(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  if (key === "z") travel(event.shiftKey ? 1 : -1);
  else if (key === "y") travel(1);
  else return;
  event.preventDefault();
});

new ResizeObserver(() => {
  if (!session?.mesh) return;
  if (svg.childElementCount !== LINES.length + dots().length) buildDots();
  else placeDots();
}).observe(stage);
watch("value", () => open(props.value));
open(props.value);
