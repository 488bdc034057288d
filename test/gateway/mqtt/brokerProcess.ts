import { startDevnetBroker } from '../../../devnet/broker.ts'

// The devnet's broker as a process of its own, to be killed: `node brokerProcess.ts PORT`. Says where it listens.

const broker = await startDevnetBroker({ port: Number(process.argv[2]) })
process.stdout.write(`${broker.url}\n`)
