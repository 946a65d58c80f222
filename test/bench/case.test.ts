import { agree } from '../../bench/case.js';
import { AnomalyClrError } from '../../src/errors.js';

test('a check lets pass what is close, and nothing else', () => {
  agree('x', [1, 100.0005], [1, 100], 1e-5);
  agree('x', [1e-6], [0], 1e-5, 1);
  const refused: [number[], number[]][] = [
    [
      [1, 100.002],
      [1, 100],
    ],
    [[1], [1, 100]],
    [[NaN], [1]],
    [[1], [NaN]],
    [[Infinity], [1]],
    [[1e-6], [0]],
  ];
  for (const [got, want] of refused) expect(() => agree('x', got, want, 1e-5)).toThrow(AnomalyClrError);
});
