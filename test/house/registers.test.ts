import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

interface Entry {
  registers: number;
  shared: number;
  stack: number;
  spilled: number;
}
type Rows = Map<string, Map<string, Entry>>;
interface Table {
  nvcc: string;
  archs: string[];
  rows: Map<string, { entries: Map<string, Entry>; reason: string }>;
}
interface Ptxas {
  tabulate(files: Record<string, string>): Rows;
  write(rows: Rows, archs: string[], nvcc: string, before?: Table): string;
  read(text: string): Table;
  compare(rows: Rows, table: Table, exact: boolean): string[];
}
const ptxas = createRequire(import.meta.url)('../../scripts/ptxas.cjs') as Ptxas;

const scale = '_ZN4aclr4cuda38_GLOBAL__N__39d2f95f_6_toy_cu_bdac733012scale_kernelIfLi64EEEvPT_iS3_';

interface Change {
  registers?: number;
  stack?: number;
  stores?: number;
  shared?: number;
}
/** As nvcc 13.0 writes it. The function that the kernel calls has a stack of its own, which is not the kernel's. */
const log = (arch: string, { registers = 40, stack = 16, stores = 0, shared = 4608 }: Change = {}): string =>
  `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '${scale}' for '${arch}'
ptxas info    : Function properties for ${scale}
    ${stack} bytes stack frame, ${stores} bytes spill stores, ${stores + 4} bytes spill loads
ptxas info    : Function properties for __internal_trig_reduction_slowpathd
    40 bytes stack frame, 99 bytes spill stores, 99 bytes spill loads
ptxas info    : Used ${registers} registers, used 1 barriers, ${shared} bytes smem, 368 bytes cmem[0]
ptxas info    : Compile time = 2.799 ms
`.replace(/, 4 bytes spill loads/, ', 0 bytes spill loads');
const rowsOf = (change?: Change): Rows =>
  ptxas.tabulate({ 'kernels/toy.cu': log('sm_80', change) + log('sm_90a', change) });

// c++filt comes with every compiler's binutils; without a compiler no table is made
const where = spawnSync('c++filt', ['--version']).status === 0 ? describe : describe.skip;

where('what ptxas tells', () => {
  const recorded = ptxas.write(rowsOf(), ['sm_80', 'sm_90a'], '13.0');

  test('the table of kernels reads as it was written', () => {
    expect(recorded).toBe(
      [
        'nvcc 13.0',
        'source\tkernel\tsm_80\tsm_90a\twhy it spills',
        'kernels/toy.cu\tscale_kernel<float, 64>\t40/4608/16\t40/4608/16',
        '',
      ].join('\n'),
    );
    const table = ptxas.read(recorded);
    expect(table.nvcc).toBe('13.0');
    expect(table.archs).toEqual(['sm_80', 'sm_90a']);
    expect(ptxas.compare(rowsOf(), table, true)).toEqual([]);
  });

  test.each([
    [{ registers: 48 }, undefined],
    [{ registers: 49 }, '49 registers, 40 recorded'],
    [{ shared: 4096 }, '4096 bytes of shared memory, 4608 recorded'],
    [{ stack: 24 }, '24 bytes of stack, 16 recorded'],
    [{ stores: 8 }, '12 bytes spilled, and no reason recorded'],
  ])('a kernel with %j is told', (change, problem) => {
    const told = ptxas.compare(rowsOf(change), ptxas.read(recorded), true);
    const of = (arch: string): string => `kernels/toy.cu scale_kernel<float, 64> ${arch}: ${problem}`;
    expect(told).toEqual(problem === undefined ? [] : [of('sm_80'), of('sm_90a')]);
  });

  test('of another compiler only spills are looked at', () => {
    const table = ptxas.read(recorded);
    expect(ptxas.compare(rowsOf({ registers: 60, shared: 8 }), table, false)).toEqual([]);
    expect(ptxas.compare(rowsOf({ stores: 8 }), table, false)).toHaveLength(2);
  });

  test('a spill with a reason passes, the reason outlives a new record, and more of it is told', () => {
    const text = ptxas.write(rowsOf({ stores: 8 }), ['sm_80', 'sm_90a'], '13.0');
    const table = ptxas.read(text.replace(/\n$/, '\twide tile\n'));
    expect(ptxas.compare(rowsOf({ stores: 8 }), table, true)).toEqual([]);
    expect(ptxas.write(rowsOf({ stores: 8 }), ['sm_80', 'sm_90a'], '13.0', table)).toMatch(/\twide tile\n$/);
    expect(ptxas.compare(rowsOf({ stores: 16 }), table, true)).toHaveLength(2);
  });

  test('kernels that come and go are told', () => {
    const table = ptxas.read(recorded);
    expect(ptxas.compare(new Map(), table, true)).toEqual([
      'kernels/toy.cu scale_kernel<float, 64> is recorded and not there any more',
    ]);
    table.rows.clear();
    expect(ptxas.compare(rowsOf(), table, true)).toEqual(['kernels/toy.cu scale_kernel<float, 64> is not recorded']);
  });
});
