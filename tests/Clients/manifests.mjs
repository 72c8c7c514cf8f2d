// Holds manifests against the published types of their kinds, twice: values by the validators of the API's schemas, and members
// that no kind has by the compiler, whose object literals may have known members only.
// Reads a JSON list of documents from standard input; prints a JSON list of problems.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const packages = { 'keda.sh': '@kubernetes-models/keda/keda.sh', 'monitoring.coreos.com': '@kubernetes-models/prometheus-operator/monitoring.coreos.com' };
const documents = JSON.parse(readFileSync(0, 'utf8'));
for (const { kind, data } of documents) {
  // Kustomize breaks long ones into lines, which the API server reads, but the format of the schema has none.
  if (kind === 'Secret') for (const key of Object.keys(data)) data[key] = data[key].replaceAll('\n', '');
}

const nameOf = ({ kind, metadata }) => `${kind} ${metadata?.name}`;
const moduleOf = ({ apiVersion, kind }) => {
  const [version, group] = `${apiVersion}`.split('/').reverse();
  return `${packages[group] ?? (group ? `kubernetes-models/${group}` : 'kubernetes-models')}/${version}/${kind}`;
};

const problems = [];
const lines = [];
for (const document of documents) {
  const path = moduleOf(document);
  try {
    new (await import(path))[document.kind](document).validate();
    lines.push(`import type { I${document.kind} as I${lines.length} } from '${path}';\nconst _${lines.length}: I${lines.length} = ${JSON.stringify(document)};`);
  } catch (error) {
    problems.push(`${nameOf(document)}: ${error.message}`);
  }
}

// A file that is nowhere but here.
const file = join(dirname(fileURLToPath(import.meta.url)), 'manifests.check.mts');
const options = { noEmit: true, strict: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext };
const host = ts.createCompilerHost(options);
const { fileExists, getSourceFile } = host;
const text = lines.join('\n');
host.fileExists = (name) => name === file || fileExists(name);
host.getSourceFile = (name, ...rest) => (name === file ? ts.createSourceFile(name, text, options.target) : getSourceFile(name, ...rest));
for (const found of ts.getPreEmitDiagnostics(ts.createProgram([file], options, host))) {
  const line = found.file ? found.file.getLineAndCharacterOfPosition(found.start).line : -1;
  const subject = found.file?.fileName === file ? text.split('\n')[line].match(/"kind":"(\w+)"/)?.[1] ?? '' : found.file?.fileName ?? '';
  problems.push(`${subject}: ${ts.flattenDiagnosticMessageText(found.messageText, ' ')}`);
}

console.log(JSON.stringify(problems));
