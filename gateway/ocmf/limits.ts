/** A signed value as it travels. OCPP 2.1 allows 32 768 characters of base64; OCPP 1.6 names no limit. */
export const MAX_VALUE_CHARS = 131_072

/** `OCMF|payload|signature`. Real ones have 0.5 to 4 KB; one with a reading a minute of a long night has 40. */
export const MAX_OCMF_BYTES = 65_536

/** Readings of one value: 64 KB hold no more that say anything. */
export const MAX_READINGS = 2_048

/** A file of values, as transparency software reads them. */
export const MAX_XML_BYTES = 8 * 1024 * 1024

/** Keys that were parsed, kept by their bytes: one a meter, and more meters than a gateway has stations are no gateway's. */
export const MAX_PARSED_KEYS = 4_096

/** Meters whose page counters are watched. */
export const MAX_WATCHED_METERS = 8_192
