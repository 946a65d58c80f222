// Writes dist/sbom.cdx.json (CycloneDX 1.5): the packages that come with this one by package-lock.json, and those that are
// in its JavaScript (dist/bundled.json). The same lock gives the same file. A licence that is not on the list below, or
// an install script in one of the packages, is an error. (npm's own `npm sbom --omit=dev` leaves out what the tests need
// too, such as picomatch.)
'use strict';
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./common.cjs');

/** Licences that ask for no more than that they are told along, and for h5wasm that changes are. */
const permissive = new Set('0BSD Apache-2.0 BlueOak-1.0.0 BSD-2-Clause BSD-3-Clause ISC MIT NIST-Software'.split(' '));
/** What packages say of their licence in a file alone. */
const toldInFile = { h5wasm: 'NIST-Software' };

const readJson = (...names) => JSON.parse(fs.readFileSync(path.join(root, ...names), 'utf8'));
const nameOf = folder => folder.replace(/^.*node_modules\//, '');

/** Licences that are not on the list, as lines. */
function oddLicences(components) {
  return components.flatMap(({ name, license = 'none' }) => {
    const ids = license.replace(/[()]/g, '').split(/ (?:AND|OR) /);
    return ids.every(id => permissive.has(id)) ? [] : [`${name}: ${license}`];
  });
}

/** The folder where Node.js finds a package from another's: its own node_modules, then those that it lies in. */
function locate(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const candidate = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (packages[candidate]) return candidate;
    if (folder === '') return undefined;
  }
}

/** What comes along by a lock, by folder, each with the folders of what it needs; `''` is the package itself. */
function shipped({ packages }) {
  const found = new Map();
  const visit = folder => {
    if (found.has(folder)) return;
    const {
      dependencies = {},
      optionalDependencies = {},
      peerDependencies = {},
      peerDependenciesMeta = {},
    } = packages[folder];
    const peers = Object.keys(peerDependencies).filter(name => !peerDependenciesMeta[name]?.optional);
    const wanted = [...new Set([...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers])];
    const needs = wanted.map(name => locate(packages, folder, name)).filter(Boolean);
    found.set(folder, { ...packages[folder], needs });
    needs.forEach(visit);
  };
  visit('');
  return found;
}

const purlOf = (name, version) => `pkg:npm/${name.replace('@', '%40')}${version ? `@${version}` : ''}`;

/** A component of CycloneDX. */
function component({ ref, name, version, license, purl = purlOf(name, version), hashes, note }) {
  return {
    'bom-ref': ref,
    type: 'library',
    name,
    ...(version ? { version } : {}),
    scope: 'required',
    ...(purl ? { purl } : {}),
    ...(hashes ? { hashes } : {}),
    licenses: [/^[\w.-]+$/.test(license) ? { license: { id: license } } : { expression: license }],
    ...(note ? { properties: [{ name: 'anomalyclr:bundled', value: note }] } : {}),
  };
}

/** A whole bill; its serial number is of its content, so that the same content is the same file. */
function bill({ name, version, license, description }, components, dependencies) {
  const byText = (a, b) => (a < b ? -1 : Number(a > b));
  const content = {
    version: 1,
    metadata: {
      lifecycles: [{ phase: 'build' }],
      component: {
        ...component({ ref: `${name}@${version}`, name, version, license }),
        type: 'application',
        description,
      },
    },
    components: components.toSorted((a, b) => byText(a['bom-ref'], b['bom-ref'])),
    dependencies: dependencies
      .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.toSorted(byText) }))
      .toSorted((a, b) => byText(a.ref, b.ref)),
  };
  const hex = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)];
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuid.join('-')}`,
    ...content,
  };
}

/** SHA-512 of a package's tarball, as the lock has it in base64. */
const hashesOf = integrity => [
  { alg: 'SHA-512', content: Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex') },
];

function makeSbom() {
  const packages = shipped(readJson('package-lock.json'));
  const self = readJson('package.json');
  const refOf = folder => `${folder === '' ? self.name : nameOf(folder)}@${packages.get(folder).version}`;
  const scripts = [...packages].filter(([folder, { hasInstallScript }]) => folder !== '' && hasInstallScript);
  if (scripts.length > 0) throw new Error(`install scripts: ${scripts.map(([folder]) => folder).join(', ')}`);
  const installed = [...packages].flatMap(([folder, { version, license, integrity }]) => {
    const name = nameOf(folder);
    return folder === ''
      ? []
      : [{ ref: refOf(folder), name, version, license: toldInFile[name] ?? license, hashes: hashesOf(integrity) }];
  });
  const bundled = readJson('dist', 'bundled.json').map(({ name, version, license, within }) => ({
    ref: `bundled:${name}${version ? `@${version}` : ''}`,
    name,
    version,
    license,
    note: within ? `within ${within}` : 'in dist/',
  }));
  const odd = oddLicences([...installed, ...bundled]);
  if (odd.length > 0) throw new Error(`licences to look at: ${odd.join('; ')}`);
  const unique = [...new Map([...installed, ...bundled].map(part => [part.ref, part])).values()];
  const needs = new Map(unique.map(({ ref }) => [ref, new Set()]));
  needs.set(refOf(''), new Set(bundled.map(({ ref }) => ref)));
  for (const [folder, { needs: folders }] of packages)
    for (const other of folders) needs.get(refOf(folder)).add(refOf(other));
  return bill(
    self,
    unique.map(component),
    [...needs].map(([ref, dependsOn]) => ({ ref, dependsOn: [...dependsOn] })),
  );
}

module.exports = { makeSbom, bill, component, shipped, oddLicences };

if (require.main === module) {
  try {
    fs.writeFileSync(path.join(root, 'dist', 'sbom.cdx.json'), `${JSON.stringify(makeSbom(), null, 2)}\n`);
  } catch (error) {
    console.error(`sbom: ${error.message}`);
    process.exitCode = 1;
  }
}
