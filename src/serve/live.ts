import type { Card } from '../bundle/card.js';
import type { DriftVerdict } from '../evaluate/drift.js';
import type { KindName } from '../events/objects.js';

/**
 * What the server has seen, as JSON: the page at `/` asks for it every second, the metrics are made of it.
 *
 * `recent` is at least the last minute and at least the last 20,000 events, and at most about twice the longer of the two.
 */
export interface Live {
  /** ISO time of this snapshot. */
  readonly time: string;
  readonly model: Pick<Card, 'name' | 'version' | 'part' | 'precision' | 'created'> & {
    readonly loss: string;
    /** Half widths of the plane that events are drawn in; left out where phi is all round the beam. */
    readonly plane?: { readonly eta: number; readonly phi: number };
  };
  /** Since the start. */
  readonly events: number;
  readonly recent: { readonly events: number; readonly seconds: number };
  /** Null in a bundle of the encoder alone. */
  readonly scores: LiveScores | null;
  readonly outOfDomain: LiveDomain;
  /** In the order of the kinds; of a sample of the recent events, about a thousand a second. */
  readonly drift: readonly LiveDrift[];
  /** The most anomalous recent events, the most anomalous first; 12 at most. */
  readonly anomalies: readonly LiveEvent[];
  /** Events in each of the last 120 whole seconds, the oldest first. */
  readonly rate: readonly number[];
}

export interface LiveScores {
  /** Of the recent events; null where there are none. Edges are evenly spaced, with `log` in the logarithm. */
  readonly spectrum: {
    readonly log: boolean;
    readonly edges: readonly number[];
    readonly counts: readonly number[];
  } | null;
  /** To 1 %; null where there are no recent events. */
  readonly quantiles: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly p999: number;
  } | null;
  /** Events without a score, since the start: they broke the rules, or lay outside the domain under `nan`. */
  readonly without: number;
  readonly thresholds: readonly LiveThreshold[];
}

export interface LiveThreshold {
  /** For instance `1e-3`: the background efficiency that it was set for. */
  readonly rate: string;
  readonly wanted: number;
  readonly threshold: number;
  /** Null before the first event. */
  readonly recent: LiveShare | null;
  /** Since the start. */
  readonly total: LiveShare | null;
}

/** A share of some events with its 95 % interval. */
export interface LiveShare {
  readonly events: number;
  readonly passed: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface LiveDomain {
  /** Of the recent events; null where there are none. */
  readonly recent: LiveShare | null;
  /** Events outside the domain since the start. */
  readonly total: number;
  /** Boundaries in words, and how many recent events crossed each: the most crossed first, 8 at most. */
  readonly boundaries: readonly { readonly boundary: string; readonly events: number }[];
}

export interface LiveDrift {
  /** For instance `jet pT` or `jets per event`. */
  readonly feature: string;
  /** Objects or events looked at. */
  readonly values: number;
  /** Null where there is nothing to compare. */
  readonly psi: number | null;
  readonly ks: number | null;
  /** Share beyond the least and the greatest that training saw. */
  readonly outside: number;
  readonly verdict: DriftVerdict;
}

export interface LiveEvent {
  /** The score, or in a bundle without score the distance from the domain. */
  readonly score: number;
  /** ISO time at which it was scored. */
  readonly time: string;
  readonly inDomain: boolean;
  /** Boundaries that it crosses, in words. */
  readonly crossed: readonly string[];
  /** pt in GeV, phi in rad. */
  readonly objects: readonly {
    readonly kind: KindName;
    readonly pt: number;
    readonly eta: number;
    readonly phi: number;
  }[];
}

/** What the server adds to {@link Live} at `GET /live`. */
export interface ServerFigures {
  /** Since the start: answered at all, refused because full, failed. */
  readonly requests: number;
  readonly refused: number;
  readonly errors: number;
  /** Over the last seconds. */
  readonly requestsPerSecond: number;
  /** Of recent requests, ms; null before the first. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | null;
  /** Events that wait. */
  readonly queueEvents: number;
  /** Of this library. */
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly provider: string;
  readonly sessions: number;
}

/** The answer of `GET /live`. */
export type LiveAnswer = Live & { readonly server: ServerFigures };
