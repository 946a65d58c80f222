/** A value with the ends of its interval. */
export interface Ranged {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface FigureAxis {
  readonly name: string;
  /** Logarithmic, with ticks at powers of ten, or of two. */
  readonly log?: boolean | 2;
  readonly min?: number;
  readonly max?: number;
}

/** One curve, or points with intervals where they have them. */
export interface LineSeries {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly low?: number; readonly high?: number }[];
  /** Marks at the points. */
  readonly marks?: boolean;
}

export interface LinePanel {
  readonly kind: 'lines';
  readonly title: string;
  readonly x: FigureAxis;
  readonly y: FigureAxis;
  readonly series: readonly LineSeries[];
}

/** Dots with intervals: a row for each name, a dot in it for each series; null leaves it out. */
export interface DotPanel {
  readonly kind: 'dots';
  readonly title: string;
  readonly value: FigureAxis;
  /** From top to bottom. */
  readonly rows: readonly string[];
  readonly series: readonly { readonly name: string; readonly values: readonly (Ranged | null)[] }[];
}

/** A figure for a paper: panels side by side under one legend. Series of one name look alike in all panels. */
export interface Figure {
  readonly title: string;
  /** What is seen, in words, for those who can't see it. */
  readonly label: string;
  readonly panels: readonly (LinePanel | DotPanel)[];
  /** Name of the series that stands out. */
  readonly main?: string;
  /** Panels in a row. Default 2. */
  readonly columns?: number;
}
