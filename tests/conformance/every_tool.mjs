// Lists a server's tools and calls those it is told, with the protocol's own TypeScript client, which checks every
// structured answer against the declared output, errors included. Prints one line of JSON a call.
//
// node every_tool.mjs URL TOKEN CALLS.json   where CALLS.json is [{"name": ..., "arguments": {...}}, ...]

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [url, token, calls, packages] = process.argv.slice(2);
const installed = createRequire(pathToFileURL(`${packages}/`));
const load = (name) => import(pathToFileURL(installed.resolve(`@modelcontextprotocol/sdk/${name}`)).href);
const { Client } = await load("client/index.js");
const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");

const client = new Client({ name: "every-tool", version: "1" });
const headers = { Authorization: `Bearer ${token}` };
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
await client.listTools(); // from here on the client holds each answer against the tool's output schema
for (const call of JSON.parse(await readFile(calls, "utf8"))) {
  const outcome = await client.callTool(call).then(
    (result) => ({ error: result.isError === true, code: result._meta?.["io.tenantscope/error"]?.code ?? null }),
    (refused) => ({ refused: String(refused) }),
  );
  console.log(JSON.stringify({ tool: call.name, ...outcome }));
}
await client.close();
