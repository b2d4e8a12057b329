// An application that was written for the provider, with Node's core modules.
'use strict'
const http = require('http')
const https = require('https')
const fs = require('fs')
const querystring = require('querystring')

const env = process.env
const [gatewayHost, gatewayPort] = env.GATEWAY.split(':')
const [proxyHost, proxyPort] = env.PROXY.split(':')
const ca = fs.readFileSync(env.CA)

// The company's DNS: the provider's names lead to the gateway.
const lookup = (name, options, callback) =>
  options.all ? callback(null, [{ address: gatewayHost, family: 4 }]) : callback(null, gatewayHost, 4)

const send = (module, options, body) => new Promise((resolve, reject) => {
  const request = module.request(options, response => {
    let text = ''
    response.on('data', part => { text += part })
    response.on('end', () => resolve({ status: response.statusCode, text }))
  })
  request.on('error', reject)
  request.setTimeout(60000, () => request.destroy(new Error('too late')))
  request.end(body)
})

const native = (host, path, options, body) =>
  send(https, { host, port: gatewayPort, path, ca, lookup, ...options }, body)
const proxied = (host, path, options, body) =>
  send(http, { host: proxyHost, port: proxyPort, path: `http://${host}${path}`, ...options, headers: { Host: host, ...options.headers } }, body)

const flow = async way => {
  const post = async form => {
    const body = querystring.stringify({ client_id: 'till', client_secret: env.KEY, ...form })
    const answer = await way(env.ACCOUNTS, '/v1/oauth2/token', {
      method: 'POST', headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body) }
    }, body)
    return JSON.parse(answer.text)
  }
  const get = async token => (await way(env.CRM, env.CUSTOMERS, { headers: { Authorization: 'Bearer ' + token } })).status
  const token = await post({ grant_type: 'password', username: 'u', password: 'p' })
  const first = await get(token.access_token)
  const fresh = await post({ grant_type: 'refresh_token', refresh_token: token.refresh_token })
  return [first, await get(fresh.access_token)]
}

const main = async () => {
  const [first, second] = await flow(native)
  console.log('token', first)
  console.log('refresh', second)
  const basic = 'Basic ' + Buffer.from('till:' + env.KEY).toString('base64')
  console.log('proxy', (await proxied(env.CRM, env.CUSTOMERS, { headers: { 'Proxy-Authorization': basic } })).status)
  console.log('challenge', (await proxied(env.CRM, env.CUSTOMERS, {})).status)
  console.log('proxied-token', (await flow(proxied))[1])
}

main().catch(err => { console.error(err); process.exit(1) })
