import type { ServerResponse } from 'node:http';
import type { BundleOutputs } from '../bundle/bundle.js';
import type { Ticket } from './batcher.js';
import { type Budget, Share } from './body.js';
import { Refusal } from './refusal.js';

/** One request from its first byte until its answer is gone or its client is. */
export class Exchange {
  readonly begun = performance.now();
  /** Memory that it holds. */
  readonly share: Share;
  private ticket: Ticket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private cutOff = false;

  /** @param onEnd - called once, whatever the end was */
  constructor(
    private readonly response: ServerResponse,
    budget: Budget,
    private readonly onEnd: (exchange: Exchange) => void,
  ) {
    this.share = new Share(budget);
    response.once('close', () => this.end());
  }

  /** ms since its first byte. */
  get age(): number {
    return performance.now() - this.begun;
  }

  /** Of the answer; 499 where the client left or was cut off before it had it. */
  get status(): number {
    return this.cutOff || !this.response.writableEnded ? gone().status : this.response.statusCode;
  }

  /** The outputs of a ticket, unless they take longer than `timeout` ms (504) or the client leaves. */
  async await(ticket: Ticket, timeout: number): Promise<BundleOutputs> {
    this.ticket = ticket;
    const late = (): void => ticket.drop(new Refusal(504, 'timeout', `no answer within ${timeout / 1000} s`));
    this.timer = setTimeout(late, timeout);
    if (this.response.destroyed) ticket.drop(gone());
    try {
      return await ticket.outputs;
    } finally {
      clearTimeout(this.timer);
      this.ticket = undefined;
    }
  }

  /** The answer is on its way: a client that does not take it within `timeout` ms is cut off. */
  answering(timeout: number): void {
    if (this.response.closed) return;
    this.timer = setTimeout(() => {
      this.cutOff = true;
      this.response.destroy();
    }, timeout);
  }

  private end(): void {
    clearTimeout(this.timer);
    this.ticket?.drop(gone());
    this.share.release();
    this.onEnd(this);
  }
}

/** Nobody gets this answer; 499 is what logs and metrics of servers call it. */
const gone = (): Refusal => new Refusal(499, 'cancelled', 'the client left before its answer');
