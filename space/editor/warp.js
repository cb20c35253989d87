// Draws a picture of a face with its mesh moved: each triangle takes its texture along.

const VERTEX = `
  attribute vec2 place, origin;
  uniform vec2 size;
  varying vec2 texture;
  void main() {
    texture = origin / size;
    gl_Position = vec4(2.0 * place.x / size.x - 1.0, 1.0 - 2.0 * place.y / size.y, 0.0, 1.0);
  }`;
const FRAGMENT = `
  precision highp float;
  uniform sampler2D picture;
  varying vec2 texture;
  void main() { gl_FragColor = texture2D(picture, texture); }`;

const CORNERS = 6; // indices of the two triangles that hold the whole picture

class Warp {
  constructor(canvas) {
    this.canvas = canvas;
    this.image = null;
    const gl = canvas.getContext("webgl", { preserveDrawingBuffer: true, antialias: false });
    this.gl = gl;
    if (!gl) return; // without it the face follows with the server's pictures alone
    const program = gl.createProgram();
    for (const [kind, code] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, code);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.program = program;
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const [name, value] of [
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
      [gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
    ]) gl.texParameteri(gl.TEXTURE_2D, name, value);
    this.buffers = ["place", "origin"].map((name) => {
      const buffer = gl.createBuffer(), where = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(where);
      gl.vertexAttribPointer(where, 2, gl.FLOAT, false, 0, 0);
      return buffer;
    });
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  }

  // Another face. `rings` and `oval` as in g2gan.flow: what lies outside the face follows it less
  // and less. `size` is the view's, its long side being 1.
  begin({ triangles, oval, rings }, size) {
    Object.assign(this, { oval, rings, size });
    // the whole picture first, as two triangles over the corners that follow the points
    const corners = POINTS + rings.length * oval.length;
    const all = [corners, corners + 1, corners + 2, corners + 1, corners + 2, corners + 3];
    this.indices = new Uint16Array([...all, ...triangles]);
    const { gl } = this;
    if (!gl) return;
    gl.uniform2f(gl.getUniformLocation(this.program, "size"), ...size);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, this.indices, gl.STATIC_DRAW);
  }

  // The picture to draw from, and the mesh (478, 2) of the face in it.
  show(image, mesh) {
    Object.assign(this, { image, source: mesh, drawn: null });
    const { gl } = this;
    if (!gl) return;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, image);
    this.place(1, mesh);
  }

  draw(mesh) {
    if (!this.image) return;
    const { gl, canvas } = this;
    if (!gl) {
      canvas.getContext("2d").drawImage(this.image, 0, 0, canvas.width, canvas.height);
      return;
    }
    gl.viewport(0, 0, canvas.width, canvas.height);
    this.place(0, mesh);
    // what lies outside the rings never moves: it is drawn once, since on some machines each pixel
    // costs the processor
    const size = `${canvas.width} ${canvas.height}`, first = this.drawn === size ? CORNERS : 0;
    this.drawn = size;
    gl.drawElements(gl.TRIANGLES, this.indices.length - first, gl.UNSIGNED_SHORT, 2 * first);
  }

  place(which, mesh) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[which]);
    gl.bufferData(gl.ARRAY_BUFFER, this.withRings(mesh), gl.DYNAMIC_DRAW);
  }

  withRings(mesh) {
    const { oval, rings, source, size } = this, count = oval.length;
    const points = new Float32Array(2 * (POINTS + rings.length * count + 4));
    points.set(mesh);
    for (const axis of [0, 1]) {
      const centre = oval.reduce((sum, point) => sum + source[2 * point + axis], 0) / count;
      rings.forEach(([reach, follow], ring) =>
        oval.forEach((point, i) => {
          const from = source[2 * point + axis], moved = mesh[2 * point + axis] - from;
          points[2 * (POINTS + ring * count + i) + axis] =
            centre + (from - centre) * (1 + reach) + follow * moved;
        }));
    }
    points.set([0, 0, size[0], 0, 0, size[1], size[0], size[1]], points.length - 8);
    return points;
  }
}
