import { AnomalyClrError } from '../errors.js';

/** Why a request is not answered with scores: an HTTP status and what its client is told. */
export class Refusal extends AnomalyClrError {
  override name = 'Refusal';

  /**
   * @param reason - one word for the metrics
   * @param retryAfter - seconds after which to try again
   */
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** A request that is wrong in itself: 400. */
export const badRequest = (message: string): Refusal => new Refusal(400, 'bad-request', message);
