/** Hours between two high waters. */
const PERIOD = 12.42;

/** The height at an hour, from -1 (low water) to 1 (high water). */
export const height = (hour) => Math.cos((2 * Math.PI * hour) / PERIOD);

/** The height at each of the first hours of a day. */
export const heights = (hours) => Array.from({ length: hours + 1 }, (_, hour) => height(hour));

/** What the water does at an hour. */
export const words = (hour) => (height(hour + 0.1) > height(hour) ? 'The water is rising.' : 'The water is falling.');
