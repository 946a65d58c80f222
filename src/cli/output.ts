/** The part of a stream that the command line writes to. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** Results go to standard output, all that is said on the way to standard error. */
export class Output {
  constructor(
    private readonly stdout: Sink,
    private readonly stderr: Sink,
    readonly quiet: boolean,
  ) {}

  /** What the user asked for; printed under --quiet too. */
  result(text: string): void {
    this.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** A result as indented JSON; NaN and infinities become null. */
  json(value: unknown): void {
    this.result(JSON.stringify(value, null, 2));
  }

  /** What is going on; nothing under --quiet. */
  info(line: string): void {
    if (!this.quiet) this.stderr.write(`${line}\n`);
  }

  /** Something the user should know even under --quiet. */
  warn(line: string): void {
    this.stderr.write(`anomalyclr: warning: ${line}\n`);
  }
}
