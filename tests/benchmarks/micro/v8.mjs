// node v8.mjs 'STEP...' MODULE...: what each step of steps.wasm costs in V8, in nanoseconds; of several
// modules, builds before and after a change, also as ratios to the first. Rounds of all modules follow each
// other, and a ratio is the median of the rounds', so that a busy machine weighs on all alike.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";

const ROUNDS = 21;
const ROUND_MS = 15;

function load(path) {
  const wasi = new WASI({ version: "preview1" });
  const module = new WebAssembly.Module(readFileSync(path));
  const instance = new WebAssembly.Instance(module, wasi.getImportObject());
  wasi.initialize(instance);
  return instance.exports;
}

/** Milliseconds. */
function time(steps, number, count) {
  const start = performance.now();
  if (!steps.repeat(number, count)) throw new Error(`there is no step ${number}`);
  return performance.now() - start;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

const [names, ...paths] = process.argv.slice(2);
const modules = paths.map(load);
for (const [number, name] of names.trim().split(/\s+/).entries()) {
  // V8 compiles anew, and better, what has run for a while.
  for (const steps of modules) for (let spent = 0; spent < 200; ) spent += time(steps, number, 100);
  let count = 100;
  while (time(modules[0], number, count) < ROUND_MS) count *= 2;
  const rounds = Array.from({ length: ROUNDS }, () => modules.map((m) => time(m, number, count)));
  const cells = modules.map((_, i) => {
    const ns = Math.round((median(rounds.map((round) => round[i])) / count) * 1e6);
    const ratio = median(rounds.map((round) => round[i] / round[0]));
    return `${String(ns).padStart(9)}${i ? ` ${ratio.toFixed(3)}` : ""}`;
  });
  console.log(name.padEnd(16), cells.join("  "));
}
