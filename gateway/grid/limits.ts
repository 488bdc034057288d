// Bounds of what the grid's side may make the gateway hold, each with its reason.

/** Of one answer: a list page of 255 DERControls is about 400 kB. */
export const MAX_XML_BYTES = 1_048_576
/** IEEE 2030.5 messages nest 8 deep; a notification around a resource 10. */
export const MAX_XML_DEPTH = 32
/** Elements of one message: at 1 MiB a flood of empty ones would be 200 000 objects. */
export const MAX_XML_ELEMENTS = 50_000
/** Of one tag with its attributes: the longest of the schema, with a link of 2 000 characters, has 3 000. */
export const MAX_XML_TAG_CHARS = 8_192
/** Of one list, over all its pages. A day of 15-minute prices is 96; a year of hourly ones does not belong in a list. */
export const MAX_LIST_ENTRIES = 2_000
/** What is asked for at a time (`l`): the standard lets a server send fewer. */
export const LIST_PAGE_ENTRIES = 50
/** Resources that one walk reads: programs, tariffs, lists and their pages. */
export const MAX_RESOURCES = 2_000
/** Responses that wait for the server; beyond it the oldest is given up and said so. */
export const MAX_WAITING_RESPONSES = 512
/** Events whose randomisation and told responses are remembered. */
export const MAX_REMEMBERED_EVENTS = 4_096
/** Of a JSON answer of a VTN. */
export const MAX_JSON_BYTES = 4_194_304
/** Events taken from a VTN, over all its pages (`skip`, `limit`). */
export const MAX_VTN_EVENTS = 2_000
/** The standard's own limit on `limit`. */
export const VTN_PAGE_EVENTS = 50
/** Of one event, once repeating ones are laid out. */
export const MAX_VTN_INTERVALS = 10_000
/** A year of quarter hours is 35 040 rows of 40 bytes; a file with many columns ten times that. */
export const MAX_FEED_BYTES = 33_554_432
export const MAX_FEED_ROWS = 400_000
/** Behind now, seconds: a period's price is asked for until it starts, events may be reported a little later. */
export const KEPT_PAST_SECONDS = 86_400
/** Ahead of now, seconds: no market prices further ahead than a week, and L1 needs none. */
export const KEPT_AHEAD_SECONDS = 8 * 86_400
/** Of one transaction: 256 periods are 33 words of the tariff, about 0.9 M gas. A day is 96. */
export const MAX_PERIODS_A_TRANSACTION = 256
