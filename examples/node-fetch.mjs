// Node with fetch over the unix socket (npm install undici); the daemon adds the token.
// The fetch that is built into Node cannot use a unix socket; that of undici can.
import { Agent, fetch } from 'undici'

const socketPath = process.env.HOMEY_TOKEND_SOCKET ?? '/run/homey-tokend/homey-tokend.sock'
const dispatcher = new Agent({ connect: { socketPath } })
const homey = process.env.HOMEY ?? 'home'

const response = await fetch(
  `http://localhost/homeys/${homey}/api/manager/devices/device`, { dispatcher }
)
// An error of the daemon is a problem document that says what is wrong.
if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
for (const device of Object.values(await response.json())) console.log(device.name)
await dispatcher.close()
