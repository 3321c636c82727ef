// A client of an artifact in Node: it loads the folder of a model as users do, and compares.
//
//     CLIENT_HOME=FOLDER node run_node.mjs client.json
//
// FOLDER holds the client's node_modules. client.json is as in run_python.py, which has the same
// checks for Python. The exit status is 0 if every case agrees.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const load = createRequire(path.join(process.env.CLIENT_HOME, "package.json"));

// Each client is a function that returns the outputs of the model for a case, by name.
const CLIENTS = {
  // The artifact in ONNX Runtime, on all its inputs.
  "onnxruntime-node": async (folder, artifact) => {
    const ort = load("onnxruntime-node");
    const session = await ort.InferenceSession.create(path.join(folder, artifact));
    return async ({ inputs }) => {
      const feeds = {};
      for (const [name, { dtype, shape, values }] of Object.entries(inputs)) {
        const data = dtype === "int64" ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
        feeds[name] = new ort.Tensor(dtype, data, shape);
      }
      return session.run(feeds);
    };
  },
  // The folder in transformers.js, from texts to vectors, as its users compute them.
  "transformers.js": async (folder) => {
    const { env, pipeline } = load("@huggingface/transformers");
    env.allowRemoteModels = false;
    env.localModelPath = path.dirname(path.resolve(folder));
    const name = path.basename(folder);
    const extract = await pipeline("feature-extraction", name, { dtype: "fp32", device: "cpu" });
    return async ({ texts }) =>
      texts.length
        ? { sentence_embedding: await extract(texts, { pooling: "mean", normalize: true }) }
        : {};
  },
};

function demand(condition, message) {
  if (!condition) {
    console.error(message);
    process.exit(1);
  }
}

const request = JSON.parse(readFileSync(process.argv[2], "utf-8"));
const { cases } = JSON.parse(readFileSync(request.cases, "utf-8"));
const run = await CLIENTS[request.client](request.folder, request.artifact);
let compared = 0;
for (const { name, texts, inputs, outputs } of cases) {
  const found = await run({ texts, inputs });
  for (const [output, expected] of Object.entries(outputs)) {
    if (!(output in found)) continue;
    const { data, dims } = found[output];
    const where = `${name}: ${output}`;
    demand(`${dims}` === `${expected.shape}`, `${where}: the shape is ${dims} instead of ${expected.shape}`);
    let largest = 0;
    let wrong = 0;
    expected.values.forEach((value, index) => {
      const error = Math.abs(Number(data[index]) - value);
      if (!(error <= request.atol + request.rtol * Math.abs(value))) wrong += 1; // NaN is wrong
      largest = Math.max(largest, error);
    });
    demand(wrong === 0, `${where}: ${wrong} of ${data.length} elements differ, by up to ${largest}`);
    console.log(`  ${name}: ok, ${output} within ${largest.toPrecision(2)}`);
    compared += 1;
  }
}
demand(compared > 0, "the client has no output that a case expects; nothing was compared");
