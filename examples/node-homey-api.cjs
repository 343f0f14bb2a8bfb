// Node with the vendor's homey-api (npm install homey-api), and the token of homey-tokend:
//   homey-tokend exec -- node node-homey-api.cjs
const { HomeyAPI } = require('homey-api')

async function main () {
  const homey = await HomeyAPI.createLocalAPI({
    address: process.env.HOMEY_URL,
    token: process.env.HOMEY_TOKEN
  })
  const devices = await homey.devices.getDevices()
  for (const device of Object.values(devices)) console.log(device.name)
  process.exit(0)
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
