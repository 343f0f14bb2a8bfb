// HomeyScript: reads the logic variable that homey-tokend keeps fresh, and lists the devices.
// Needs a sink of the type logic_variable with the name below.
const address = 'https://your-cloudid.connect.athom.com'
const name = 'accesstoken'

const variables = Object.values(await Homey.logic.getVariables())
const variable = variables.find((one) => one.name === name)
if (!variable) throw new Error(`There is no logic variable named ${name}`)

const response = await fetch(`${address}/api/manager/devices/device`, {
  headers: { Authorization: `Bearer ${variable.value}` }
})
if (!response.ok) throw new Error(`The Homey answered ${response.status}`)
const devices = await response.json()
for (const device of Object.values(devices)) console.log(device.name)
return true
