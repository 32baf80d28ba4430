// Opens configurations in the YAML language server, as an editor does, and holds it to what people
// should see: nothing in a good file, and the mistake in a bad one.
//
//   node xtask/editor.mjs SERVER SCHEMA FILE...
//
// SERVER is the language server's start script, SCHEMA what `lintel schema` prints. The files name
// their schema themselves (`# yaml-language-server: $schema=lintel.schema.json`), so they are copied
// into a folder where it stands beside them.

import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";

/** How long the server may take for one file, in ms. */
const PATIENCE = 60_000;
/** Mistakes that every file gets in turn, and what must be said about each. */
const MISTAKES = [
  { line: "no_such_key: 1", said: /no_such_key/ },
  { line: "drain_timeout: [soon]", said: /Incorrect type/ },
];

const [server, schema, ...files] = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: node xtask/editor.mjs SERVER SCHEMA FILE...");
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "lintel-editor-"));
copyFileSync(schema, join(folder, "lintel.schema.json"));

const child = spawn(process.execPath, [server, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
/** Those that wait for the diagnostics of a document, by its URI. */
const waiting = new Map();
let failures = 0;
let nextId = 1;
const answers = new Map();

function send(message) {
  const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
  child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
  child.stdin.write(body);
}

function request(method, params) {
  const id = nextId++;
  send({ id, method, params });
  return new Promise((resolve) => answers.set(id, resolve));
}

const yaml = { validate: true, schemaStore: { enable: false }, kubernetesCRDStore: { enable: false } };

/** What the server asks an editor for. */
function configuration(item) {
  return item.section === "yaml" ? yaml : {};
}

function receive(message) {
  if (message.method === "textDocument/publishDiagnostics") {
    waiting.get(message.params.uri)?.(message.params.diagnostics);
  } else if (message.method === "workspace/configuration") {
    send({ id: message.id, result: message.params.items.map(configuration) });
  } else if (message.method !== undefined && message.id !== undefined) {
    send({ id: message.id, result: null });
  } else if (answers.has(message.id)) {
    answers.get(message.id)(message.result);
    answers.delete(message.id);
  }
}

let buffer = Buffer.alloc(0);
child.stdout.on("data", (bytes) => {
  buffer = Buffer.concat([buffer, bytes]);
  for (;;) {
    const end = buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, end).toString())[1]);
    if (buffer.length < end + 4 + length) return;
    receive(JSON.parse(buffer.subarray(end + 4, end + 4 + length).toString()));
    buffer = buffer.subarray(end + 4 + length);
  }
});
child.on("exit", (code) => {
  console.error(`the language server ended by itself (${code})`);
  process.exit(1);
});

/** Opens a document and waits for what is said about it. */
function diagnose(name, text) {
  const uri = pathToFileURL(join(folder, name)).href;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name}: no answer`)), PATIENCE);
    waiting.set(uri, (diagnostics) => {
      clearTimeout(timer);
      waiting.delete(uri);
      send({ method: "textDocument/didClose", params: { textDocument: { uri } } });
      resolve(diagnostics.map((found) => `line ${found.range.start.line + 1}: ${found.message}`));
    });
    const textDocument = { uri, languageId: "yaml", version: 1, text };
    send({ method: "textDocument/didOpen", params: { textDocument } });
  });
}

function complain(name, text) {
  failures += 1;
  console.error(`${name}: ${text}`);
}

/** The YAML in a Markdown page, as one document; the text itself for a YAML file. */
function document(file) {
  const text = readFileSync(file, "utf8");
  if (!file.endsWith(".md")) return text;
  return [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map((match) => match[1]).join("\n");
}

async function check(file) {
  const name = basename(file).replace(/\.md$/, ".yaml");
  const text = document(file);
  if (!/^# yaml-language-server: \$schema=(\.\/)?lintel\.schema\.json$/m.test(text)) {
    return complain(file, "has no `# yaml-language-server: $schema=lintel.schema.json`");
  }
  const found = await diagnose(name, text);
  if (found.length > 0) complain(file, found.join("\n  "));
  for (const [at, { line, said }] of MISTAKES.entries()) {
    const found = await diagnose(`${at}-${name}`, `${text}\n${line}\n`);
    if (!found.some((text) => said.test(text))) {
      complain(file, `nothing is said about \`${line}\`, only ${JSON.stringify(found)}`);
    }
  }
}

try {
  const root = pathToFileURL(folder).href;
  await request("initialize", {
    processId: process.pid,
    rootUri: root,
    workspaceFolders: [{ uri: root, name: "examples" }],
    capabilities: {
      workspace: { configuration: true, workspaceFolders: true },
      textDocument: { publishDiagnostics: {} },
    },
    initializationOptions: {},
  });
  send({ method: "initialized", params: {} });
  send({ method: "workspace/didChangeConfiguration", params: { settings: { yaml } } });
  for (const file of files) await check(file);
} catch (error) {
  complain("the language server", error.message);
}
child.removeAllListeners("exit");
child.kill();
rmSync(folder, { recursive: true });
if (failures > 0) process.exit(1);
console.log(`editor: ${files.length} files are fine, and ${files.length * MISTAKES.length} mistakes are seen`);
