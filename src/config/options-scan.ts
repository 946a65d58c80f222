/** The studies of `scan`, each with what it asks. A new one is a line here, a line in scan/studies/index.ts and its file. */
export const studySummaries = {
  comparison: 'detectors on raw data and on an untrained encoder against those on each learned representation',
} as const;

export type StudyName = keyof typeof studySummaries;
