// The origin server of the tests: the package's own handlers, on a free port of this machine alone.
//
//   node origin.mjs PACKAGE    prints `listening PORT`; ends when its input does
//
// The package's own server would listen on every address and write a file with its process id.

import http from 'node:http'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const folder = process.argv[2]
const load = async name => (await import(pathToFileURL(path.join(folder, 'server', name)))).default
const handlers = {
  config: await load('handle-config.mjs'),
  state: await load('handle-state.mjs'),
  test: await load('handle-test.mjs')
}
// The handlers print warnings, which the tests expect to cause.
const print = console.log
console.log = console.error

const server = http.createServer((request, response) => {
  const [kind, ...rest] = new URL(request.url, 'http://origin/').pathname.split('/').slice(1)
  const handler = handlers[kind]
  if (handler) {
    handler(rest, request, response)
  } else {
    response.writeHead(404)
    response.end()
  }
})
server.listen(0, '127.0.0.1', () => print(`listening ${server.address().port}`))
process.stdin.on('end', () => process.exit()).resume()
