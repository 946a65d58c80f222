// Known advisories on what ships: the packages that come along by package-lock.json, and those that dist/ has parts of
// (they are among the tests' packages, so npm is asked for all, and what concerns neither is left out). Fails on any.
// Where the registry has no such service it ends with "skipped: ..." and that is no failure; what ships and has a newer
// version that would do, as a mended one would be, is named then.
'use strict';
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./common.cjs');
const { shipped } = require('./sbom.cjs');

const readJson = (...names) => JSON.parse(fs.readFileSync(path.join(root, ...names), 'utf8'));

/** Folders of the lock that hold what ships. */
function folders() {
  const lock = readJson('package-lock.json');
  const parts = readJson('dist', 'bundled.json').map(({ name }) => `node_modules/${name}`);
  const runtime = ['onnxruntime-node', 'onnxruntime-common'].map(name => `node_modules/${name}`); // in the platforms'
  return new Set([...shipped(lock).keys(), ...parts, ...runtime]);
}

/** Of npm's answer what concerns what ships, a line each. */
function concerns({ vulnerabilities = {} }, ours) {
  return Object.values(vulnerabilities).flatMap(({ name, severity, nodes, via }) => {
    const hit = nodes.filter(node => ours.has(node));
    const titles = via.flatMap(one => (typeof one === 'string' ? [] : [`${one.title} (${one.url})`]));
    return hit.length > 0 && titles.length > 0 ? [`${name}, ${severity}: ${titles.join('; ')}`] : [];
  });
}

/** Of what npm says is outdated, what ships in a version older than one that its dependents take, a line each. */
function overtaken(outdated, versions) {
  const lines = Object.entries(outdated).flatMap(([name, answer]) =>
    [answer]
      .flat() // one for each dependent
      .filter(({ current, wanted }) => current !== wanted && versions.has(`${name}@${current}`))
      .map(({ current, wanted }) => `${name} ${current}, newer: ${wanted}`),
  );
  return [...new Set(lines)];
}

function npm(...args) {
  const { stdout, stderr } = spawnSync('npm', [...args, '--json'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, npm_config_audit: 'true', npm_config_fetch_retries: '0' },
  });
  try {
    return JSON.parse(stdout);
  } catch {
    return { message: stderr.trim().split('\n').at(-1) };
  }
}

function main() {
  const answer = npm('audit', '--package-lock-only');
  const ours = folders();
  if (!answer.vulnerabilities) {
    const why = answer.error?.summary || answer.message || 'no answer';
    const { packages } = readJson('package-lock.json');
    const name = folder => folder.replace(/.*node_modules\//, '');
    const versions = new Set([...ours].map(folder => `${name(folder)}@${packages[folder]?.version}`));
    for (const line of overtaken(npm('outdated', '--all'), versions)) console.log(line);
    console.log(`skipped: audit: the registry does not say (${String(why).split('\n')[0]})`);
    return;
  }
  const found = concerns(answer, ours);
  for (const line of found) console.log(line);
  console.log(`audit: ${found.length === 0 ? 'nothing known' : `${found.length} known`} about what ships`);
  process.exitCode = found.length === 0 ? 0 : 1;
}

module.exports = { concerns, overtaken };

if (require.main === module) main();
