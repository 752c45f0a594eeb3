// Runs the tests against a base URL and prints one JSON document:
// a list of { id, kind, suite, result }, where the result is null for a test that passed, else what went wrong.
//
//   node client.mjs PACKAGE BASE [ID]...    with ids: those tests alone
//
// Names are not looked up: every host is this machine.

import http from 'node:http'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, base, ...ids] = process.argv.slice(2)
const load = name => import(pathToFileURL(path.join(folder, name)))
const fetch = createRequire(path.join(folder, 'package.json'))('node-fetch')

// Tests at the same time. The package runs 100; so many make each slow, and some look at seconds.
const AT_ONCE = 40

const agent = new http.Agent({
  keepAlive: true,
  lookup: (_host, options, done) =>
    options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)
})

const { default: suites } = await load('tests/index.mjs')
const { default: surrogate } = await load('tests/surrogate-control.mjs')
const { runTests, getResults } = await load('client/runner.mjs')
const print = console.log
console.log = console.error

const wanted = test => !test.browser_only && (ids.length === 0 || ids.includes(test.id))
const chosen = [...suites, surrogate].map(suite => ({ ...suite, tests: suite.tests.filter(wanted) }))
if (ids.length > 0) {
  chosen.forEach(suite => suite.tests.forEach(test => { test.dump = process.env.DUMP === '1' }))
}
await runTests(chosen, (url, init) => fetch(url, { ...init, agent }), false, base, AT_ONCE)

const results = getResults()
const said = result => {
  if (result === true) return null
  return result === undefined ? 'did not run' : `${result[0]}: ${result[1]}`
}
const list = chosen.flatMap(suite => suite.tests.map(test => ({
  id: test.id,
  kind: test.kind ?? 'required',
  suite: suite.id,
  result: said(results[test.id])
})))
print(JSON.stringify(list))
process.exit()
