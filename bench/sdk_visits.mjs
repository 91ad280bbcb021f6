// Visits by the official TypeScript SDK's client, one after another: `node sdk_visits.mjs NODE_MODULES URL SECONDS`.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, url, seconds] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const load = async (name) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${name}`)));
const { Client } = await load("client/index.js");
const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");

async function visit() {
  const client = new Client({ name: "bench", version: "1" });
  const transport = new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  await client.listTools();
  await transport.terminateSession();
  await client.close();
}

for (let i = 0; i < 5; i++) await visit();
const before = process.cpuUsage();
const until = Date.now() + Number(seconds) * 1000;
let visits = 0;
while (Date.now() < until) {
  await visit();
  visits++;
}
const used = process.cpuUsage(before);
console.log(JSON.stringify({ visits, visits_per_cpu_second: visits / ((used.user + used.system) / 1e6) }));
