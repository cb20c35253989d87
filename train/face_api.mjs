// What the npm package @vladmandic/face-api sees in pictures; `face_api.py` starts this.
//
//   node face_api.mjs FOLDER
//
// FOLDER holds `node_modules`. A picture comes on the standard input as a line of JSON,
// {"width", "height", "rgb": base64}; a line goes out for each: null where there is no face,
// else {"expressions": {name: share}, "identity": [128 numbers]}.
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const folder = resolve(process.argv[2]);
const require = createRequire(join(folder, 'package.json'));
console.log = console.error; // the libraries greet; the standard output is for answers
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const faces = require('@vladmandic/face-api/dist/face-api.node-wasm.js');

wasm.setWasmPaths(join(folder, 'node_modules/@tensorflow/tfjs-backend-wasm/dist/'));
wasm.setThreadsCount(1);
await tf.setBackend('wasm');
await tf.ready();
const models = join(folder, 'node_modules/@vladmandic/face-api/model');
for (const net of ['ssdMobilenetv1', 'faceLandmark68Net', 'faceExpressionNet', 'faceRecognitionNet']) {
  await faces.nets[net].loadFromDisk(models);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { width, height, rgb } = JSON.parse(line);
  const picture = tf.tensor3d(new Uint8Array(Buffer.from(rgb, 'base64')), [height, width, 3], 'int32');
  const found = await faces.detectSingleFace(picture)
    .withFaceLandmarks().withFaceExpressions().withFaceDescriptor();
  picture.dispose();
  const answer = found
    ? { expressions: { ...found.expressions }, identity: Array.from(found.descriptor) } : null;
  process.stdout.write(JSON.stringify(answer) + '\n');
}
