import fc from 'fast-check'
import { seed } from './seed.ts'

// fast-check, with this process's seed.

fc.configureGlobal({ seed })

export { fc }
