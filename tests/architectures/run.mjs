// node run.mjs MODULE.wasm CASE…: renders each case and prints it with its hashes, a line each.
import { readFileSync } from "node:fs";

const [path, ...cases] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(path), {});
const hex = (word) => BigInt.asUintN(64, word).toString(16).padStart(16, "0");
for (const text of cases) {
  const numbers = text.split(":").map(Number);
  const address = instance.exports.outcome(...numbers);
  const [sound, notes, count] = new BigUint64Array(instance.exports.memory.buffer, address, 3);
  console.log(`${text} ${hex(sound)} ${hex(notes)} ${count}`);
}
