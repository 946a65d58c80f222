// The prebuilt library of Jazzer.js asks for glibc 2.38 and libstdc++ 13, and stable systems have older ones. All that it
// wants of these is two parsers of numbers, which every glibc has under their plain names, and a mark that is never
// called. So a copy of it asks for those: the names of the two symbols begin later in the table of names, and the
// versions that are lacking are replaced by older ones that are asked for beside them.
'use strict';
const { readFileSync, writeFileSync } = require('node:fs');

const lacking = { 'GLIBC_2.38': 'GLIBC_2.2.5', 'GLIBCXX_3.4.32': 'GLIBCXX_3.4.15' };
const renamed = '__isoc23_'; // __isoc23_strtol is strtol of another standard

/** Writes to `to` the 64-bit little-endian ELF library `from` with older needs; throws where it is none. */
module.exports = function askForOlder(from, to) {
  const elf = readFileSync(from);
  if (elf.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') throw new Error(`${from}: not an ELF of 64 bits`);
  const number = (at, bytes = 8) => (bytes === 8 ? Number(elf.readBigUInt64LE(at)) : elf.readUIntLE(at, bytes));
  const [table, size, count] = [number(0x28), number(0x3a, 2), number(0x3c, 2)];
  const sections = Array.from({ length: count }, (_, i) => table + i * size).map(at => ({
    type: number(at + 4, 4),
    at: number(at + 24),
    bytes: number(at + 32),
  }));
  const [DYNSYM, VERNEED] = [11, 0x6ffffffe].map(type => sections.find(section => section.type === type));
  const names = sections.find(({ type, at }) => type === 3 && at > DYNSYM.at); // .dynstr
  const text = offset => elf.toString('latin1', names.at + offset, elf.indexOf(0, names.at + offset));

  for (let at = DYNSYM.at; at < DYNSYM.at + DYNSYM.bytes; at += 24)
    if (text(number(at, 4)).startsWith(renamed)) elf.writeUInt32LE(number(at, 4) + renamed.length, at);

  // each library's entry (16 bytes) has a list of versions (16 bytes: hash, flags, index, name, way to the next)
  const versions = new Map();
  for (let at = VERNEED.at, more = 1; more > 0; at += more) {
    for (let one = at + number(at + 8, 4), next = 1; next > 0; one += next) {
      versions.set(text(number(one + 8, 4)), one);
      next = number(one + 12, 4);
    }
    more = number(at + 12, 4);
  }
  for (const [version, older] of Object.entries(lacking)) {
    const [into, like] = [versions.get(version), versions.get(older)];
    if (into === undefined || like === undefined) continue;
    elf.copy(elf, into, like, like + 4);
    elf.copy(elf, into + 8, like + 8, like + 12);
  }
  writeFileSync(to, elf, { mode: 0o755 });
};
