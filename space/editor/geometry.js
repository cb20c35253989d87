// Where the face's points go: what ShapeModel.drag computes, in the browser, within a frame.
// Points lie in the view, whose long side is 1; parameters and moves are the shape model's.

const POINTS = 478;

function floats(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// A start as the server sends it: pixels, the mesh in them, and how parameters move it.
function readStart(sent) {
  return {
    picture: sent.picture,
    mesh: floats(sent.mesh), // (478, 2)
    basis: floats(sent.basis), // (478, 2, parameters)
    aims: Object.fromEntries(Object.entries(sent.aims).map(([name, aim]) => [name, floats(aim)])), // (478, 2) each
    axes: sent.axes, // one eye distance to the right, and down, along the head
  };
}

class Shape {
  constructor(model) {
    Object.assign(this, model);
    this.apart = floats(model.apart);
    this.count = model.deviation.length;
  }

  // Parameters of {name: share}; what is aimed has none.
  parameters(expression) {
    const sum = new Float64Array(this.count);
    for (const [name, share] of Object.entries(expression))
      (this.table[name] ?? []).forEach((value, k) => (sum[k] += share * value));
    return sum;
  }

  // The mesh (478, 2) that an edit {expression, moves} asks for.
  mesh(start, edit) {
    let parameters = this.parameters(edit.expression);
    const landmarks = this.handles.length;
    const held = Object.keys(edit.moves).map(Number).filter((index) => index < landmarks);
    let asked = held.map((index) => onPicture(start.axes, edit.moves[index]));
    if (held.length) {
      const followed = this.follow(start, parameters, held, asked);
      const change = followed.map((value, k) => value - parameters[k]);
      asked = asked.map((place, i) => {
        const [x, y] = this.displacement(start, this.handles[held[i]], change);
        return [place[0] - x, place[1] - y];
      });
      parameters = followed;
    }
    const mesh = Float32Array.from(start.mesh);
    for (let point = 0; point < POINTS; point++) {
      const [x, y] = this.displacement(start, point, parameters);
      mesh[2 * point] += x;
      mesh[2 * point + 1] += y;
    }
    for (const [name, aim] of Object.entries(start.aims)) {
      const share = edit.expression[name];
      if (share) aim.forEach((value, i) => (mesh[i] += share * value));
    }
    if (held.length) this.spread(mesh, held, asked);
    for (const [index, iris] of this.irises) {
      if (!(index in edit.moves)) continue;
      const [x, y] = onPicture(start.axes, edit.moves[index]);
      for (let point = iris; point < iris + 5; point++) {
        mesh[2 * point] += x;
        mesh[2 * point + 1] += y;
      }
    }
    return mesh;
  }

  displacement(start, point, parameters) {
    let x = 0, y = 0;
    const row = 2 * point * this.count;
    for (let k = 0; k < this.count; k++) {
      x += start.basis[row + k] * parameters[k];
      y += start.basis[row + this.count + k] * parameters[k];
    }
    return [x, y];
  }

  // Parameters that bring the held landmarks where they are asked, moving little else.
  follow(start, parameters, held, asked) {
    const n = this.count, unit = start.axes.unit;
    const left = Array.from({ length: n }, () => new Float64Array(n));
    const right = new Float64Array(n);
    const places = new Map(held.map((index, i) => [index, asked[i]]));
    this.handles.forEach((point, index) => {
      const place = places.get(index) ?? [0, 0];
      const trust = 1 / (places.has(index) ? this.noise : this.reluctance) / unit;
      for (const axis of [0, 1]) {
        const row = (2 * point + axis) * n;
        for (let i = 0; i < n; i++) {
          const weighted = start.basis[row + i] * trust * trust;
          right[i] += weighted * place[axis];
          for (let j = 0; j <= i; j++) left[i][j] += weighted * start.basis[row + j];
        }
      }
    });
    for (let i = 0; i < n; i++) {
      left[i][i] += this.deviation[i] ** -2;
      for (let j = 0; j < i; j++) left[j][i] = left[i][j];
    }
    const change = solve(left, [right])[0];
    return parameters.map((value, k) =>
      Math.min(Math.max(value + change[k], Math.min(this.low[k], value)), Math.max(this.high[k], value)));
  }

  // What the parameters cannot do, spread smoothly round each held landmark.
  spread(mesh, held, rest) {
    const pull = (a, b) => Math.exp(-Math.hypot(
      this.apart[2 * a] - this.apart[2 * b], this.apart[2 * a + 1] - this.apart[2 * b + 1],
    ) / this.reach);
    const points = held.map((index) => this.handles[index]);
    const between = points.map((a) => points.map((b) => pull(a, b)));
    const [x, y] = solve(between, [0, 1].map((axis) => rest.map((place) => place[axis])));
    for (let point = 0; point < POINTS; point++)
      points.forEach((other, i) => {
        const share = pull(point, other);
        mesh[2 * point] += share * x[i];
        mesh[2 * point + 1] += share * y[i];
      });
  }
}

function onPicture(axes, [x, y]) {
  return [x * axes.x[0] + y * axes.y[0], x * axes.x[1] + y * axes.y[1]];
}

function alongHead(axes, [x, y]) {
  const area = axes.x[0] * axes.y[1] - axes.x[1] * axes.y[0];
  return [(x * axes.y[1] - y * axes.y[0]) / area, (y * axes.x[0] - x * axes.x[1]) / area];
}

// Solutions of a x = b for several b, by elimination; `a` is left as it is.
function solve(a, columns) {
  const n = a.length;
  const rows = a.map((row, i) => [...row, ...columns.map((column) => column[i])]);
  for (let i = 0; i < n; i++) {
    let best = i;
    for (let j = i + 1; j < n; j++) if (Math.abs(rows[j][i]) > Math.abs(rows[best][i])) best = j;
    [rows[i], rows[best]] = [rows[best], rows[i]];
    for (let j = i + 1; j < n; j++) {
      const share = rows[j][i] / rows[i][i];
      if (share) for (let k = i; k < rows[j].length; k++) rows[j][k] -= share * rows[i][k];
    }
  }
  return columns.map((_, c) => {
    const x = new Float64Array(n);
    for (let i = n - 1; i >= 0; i--) {
      let sum = rows[i][n + c];
      for (let k = i + 1; k < n; k++) sum -= rows[i][k] * x[k];
      x[i] = sum / rows[i][i];
    }
    return x;
  });
}
