// Node without any package: a call over the unix socket; the daemon adds the token.
import http from 'node:http'

const socketPath = process.env.HOMEY_TOKEND_SOCKET ?? '/run/homey-tokend/homey-tokend.sock'

function get (path) {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (piece) => { body += piece })
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(body))
        else reject(new Error(`${response.statusCode}: ${body}`))
      })
    })
    request.on('error', reject)
  })
}

const homey = process.env.HOMEY ?? 'home'
const devices = await get(`/homeys/${homey}/api/manager/devices/device`)
for (const device of Object.values(devices)) console.log(device.name)
