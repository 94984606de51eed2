// Produce, consume, commit with fetch (Node.js 18 or newer, Deno, Bun).
//
//     node examples/javascript/round-trip.mjs [http://localhost:8082]

const url = process.argv[2] ?? process.env.OTTLA_REST_URL ?? "http://localhost:8082";
const topic = "javascript-round-trip";
const group = `javascript-round-trip-${process.pid}`;
const json = { "Content-Type": "application/vnd.kafka.json.v2+json" };
const v2 = { "Content-Type": "application/vnd.kafka.v2+json" };

// One request; anything but 2xx ends the program with what the server said.
async function call(method, url, headers, body) {
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

// Produce two records. Each answer names the partition and offset of its record.
const records = [
  { key: "k1", value: { foo: "bar" } },
  { key: "k2", value: [1, 2, 3] },
];
const produced = await call("POST", `${url}/topics/${topic}`, json, { records });
console.log("produced:", produced.offsets);

// A consumer instance is a member of a group that lives in the server.
const settings = { format: "json", "auto.offset.reset": "earliest" };
const { base_uri: instance } = await call("POST", `${url}/consumers/${group}`, v2, settings);
await call("POST", `${instance}/subscription`, v2, { topics: [topic] });

// Read, use, commit: what was read counts as done.
const accept = { Accept: "application/vnd.kafka.json.v2+json" };
for (const record of await call("GET", `${instance}/records`, accept)) {
  console.log("consumed:", record.partition, record.offset, record.key, record.value);
}
await call("POST", `${instance}/offsets`, v2);

// An instance that is not deleted leaves its group after a few minutes by itself.
await call("DELETE", instance, v2);
console.log("done");
