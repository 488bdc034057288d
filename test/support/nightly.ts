/** Why a test that takes minutes is left out by day; false in the nightly run. */
export const byNight = process.env.BACKFEED_NIGHTLY !== '1' && 'takes minutes: run by .ci/nightly'
