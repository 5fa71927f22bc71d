// node v8.mjs MODULE...: what each step of micro.wasm costs in V8, in nanoseconds; of several modules, the
// builds before and after a change, also as ratios to the first. Rounds of all modules follow each other, and
// a ratio is the median of the rounds', so that a busy machine weighs on all alike.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WASI } from "node:wasi";

const ROUNDS = 15;
const ROUND_NS = 20e6;

const directory = mkdtempSync(join(tmpdir(), "micro-"));
const file = join(directory, "stdout");

function run(module, ...args) {
  const stdout = openSync(file, "w");
  const wasi = new WASI({ version: "preview1", args: ["micro", ...args], stdout });
  const status = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
  closeSync(stdout);
  if (status) throw new Error(`micro ${args.join(" ")} ends with ${status}`);
  return readFileSync(file, "utf8").trim();
}

const time = (module, name, count) => Number(run(module, name, String(count))) / count;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

const modules = process.argv.slice(2).map((path) => new WebAssembly.Module(readFileSync(path)));
try {
  for (const name of run(modules[0]).split("\n")) {
    // V8 compiles anew, and better, what has run for a while: that is over when the count is found.
    let count = 100;
    while (time(modules[0], name, count) * count < ROUND_NS) count *= 2;
    for (const module of modules) for (let i = 0; i < 3; i++) time(module, name, count);
    const rounds = Array.from({ length: ROUNDS }, () => modules.map((m) => time(m, name, count)));
    const cells = modules.map((_, i) => {
      const ns = Math.round(median(rounds.map((round) => round[i])));
      const ratio = median(rounds.map((round) => round[i] / round[0]));
      return `${String(ns).padStart(9)} ns${i ? ` ${ratio.toFixed(3)}` : ""}`;
    });
    console.log(name.padEnd(16), cells.join("  "));
  }
} finally {
  rmSync(directory, { recursive: true });
}
