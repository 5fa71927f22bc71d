// Prints what a wasm module imports, one `module.name` a line, sorted:
//     node scripts/wasm-imports.mjs MODULE.wasm
// Fails on a module without code, whose empty list would prove nothing. Installs nothing.
import { readFile } from "node:fs/promises";

const CODE_SECTION = 10;

const [path] = process.argv.slice(2);
const bytes = await readFile(path);
if (!hasSection(bytes, CODE_SECTION)) {
  console.error(`error: ${path} holds no code`);
  process.exit(1);
}
const imports = WebAssembly.Module.imports(await WebAssembly.compile(bytes));
for (const line of imports.map(({ module, name }) => `${module}.${name}`).sort()) {
  console.log(line);
}

// After the eight bytes of magic and version, a module is a list of sections: id, size, contents.
function hasSection(bytes, wanted) {
  let at = 8;
  while (at < bytes.length) {
    const id = bytes[at++];
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7, at++) {
      size += (bytes[at] & 0x7f) * 2 ** shift;
      more = bytes[at] >= 0x80;
    }
    if (id === wanted) return true;
    at += size;
  }
  return false;
}
