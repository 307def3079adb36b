/** Of letters that were opened in full: how high each was, so that coming back moves nothing. */
export const heights = new Map<string, number>();

/** Letters whose linked pictures were asked for. */
export const pictured = new Set<string>();
