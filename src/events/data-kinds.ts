/** What one entry of a file is: a collision with its objects, or a jet with its constituents. */
export type DataKindName = 'event' | 'jet';
