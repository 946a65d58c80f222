/** The bytes of an input, read from front to back; past their end come zeros. */
export class Choices {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  byte(): number {
    return this.bytes[this.at++] ?? 0;
  }

  /** 0 to n - 1, n at most 256. */
  below(n: number): number {
    return this.byte() % n;
  }

  /** 0 to n - 1, n at most 2^24. */
  place(n: number): number {
    const value = this.byte() + (this.byte() << 8) + (this.byte() << 16);
    return n > 0 ? value % n : 0;
  }

  rest(): Buffer {
    const rest = Buffer.from(this.bytes.subarray(this.at));
    this.at = this.bytes.length;
    return rest;
  }

  text(): string {
    return this.rest().toString('utf8');
  }
}

/** Numbers at which readers of sizes, places and counts stumble. */
const odd = [
  0n,
  1n,
  -1n,
  2n,
  7n,
  8n,
  255n,
  256n,
  65535n,
  65536n,
  2n ** 24n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  0x7fc00000n, // NaN as float32
  0x7f800000n,
  0xff800000n,
  0x80000000n,
  0x7ff8000000000000n, // NaN as float64
  0x7ff0000000000000n,
];

const mostChanges = 48;

/**
 * A valid file with changes, each of which takes 4 to 13 bytes of the input: an operation, a place (24 bits, from the
 * front or, with bit 7 of the operation, from the end) and what is put there. So a small input reaches any byte of a file
 * that it does not have to hold.
 */
export function changed(base: Uint8Array, choices: Choices): Buffer {
  let bytes = Buffer.from(base);
  for (let i = 0; i < mostChanges && choices.left > 0; i++) bytes = change(bytes, choices);
  return bytes;
}

function change(bytes: Buffer, choices: Choices): Buffer<ArrayBuffer> {
  const operation = choices.byte();
  const from = choices.place(bytes.length + 1);
  const at = operation & 0x80 ? bytes.length - from : from;
  const own = Buffer.from(bytes);
  const put = (size: number): Buffer<ArrayBuffer> => {
    const value = operation & 0x40 ? odd[choices.below(odd.length)] : undefined;
    for (let b = 0; b < size; b++) {
      const place = operation & 0x20 ? size - 1 - b : b; // big-endian or little-endian
      const byte = value === undefined ? choices.byte() : Number((value >> BigInt(8 * b)) & 255n);
      if (at + place < own.length) own[at + place] = byte;
    }
    return own;
  };
  switch (operation & 7) {
    case 0:
    case 1:
    case 2:
    case 3:
      return put(1 << (operation & 3));
    case 4:
      if (at < own.length) own[at] ^= 1 << choices.below(8);
      return own;
    case 5: {
      const more = Buffer.from(Array.from({ length: 1 + choices.below(9) }, () => choices.byte()));
      return Buffer.concat([own.subarray(0, at), more, own.subarray(at)]);
    }
    case 6:
      return Buffer.concat([own.subarray(0, at), own.subarray(at + 1 + choices.byte())]);
    default:
      if (operation & 0x40) return own.subarray(0, at); // the rest is missing
      own.copyWithin(at, choices.place(own.length + 1), own.length);
      return own;
  }
}
