// Says every event of some topics once, as a line of JSON, after checking it against the schema of its type.
//
//   npm ci --ignore-scripts
//   KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 SCHEMAS=../../contracts/schemas \
//     node subscriber.mjs dugnad.intake.v1 dugnad.matching.v1 dugnad.followup.v1

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { Kafka, logLevel } from "kafkajs";

const { KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:9092", SCHEMAS = "schemas", GROUP = "my-service" } = process.env;

const REQUIRED = [
  "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_partitionkey", "ce_time", "ce_recordedtime",
  "ce_sequence", "ce_dataschema", "content-type",
];

const ajv = new Ajv2020({ allErrors: true });
addFormats(ajv);
ajv.addVocabulary(["x-type", "x-source", "x-topic", "x-subject", "x-partition-key", "x-known-values"]);
const schemas = new Map();
for (const file of readdirSync(SCHEMAS).filter((name) => name.endsWith(".json"))) {
  const schema = JSON.parse(readFileSync(join(SCHEMAS, file), "utf8"));
  schemas.set(schema["x-type"], ajv.compile(schema));
}

/** The schema of a type, or of the next older version: newer ones only add fields. Undefined for an unknown name. */
function schemaOf(type) {
  const [, name, version] = /^(.*\.v)([1-9][0-9]*)$/.exec(type) ?? [];
  for (let number = Math.min(version, 99); number > 0; number -= 1) {
    if (schemas.has(name + number)) return schemas.get(name + number);
  }
}

/** The headers as text; KafkaJS gives bytes, and a list where a header comes more than once. */
function textsOf(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, raw]) => [name, String(raw)]));
}

/** What is wrong with a record: nothing, where it is as the contracts say. Never repeats a value of the data. */
function faultsOf(texts, key, value) {
  const missing = REQUIRED.filter((name) => !texts[name]);
  if (missing.length > 0) return missing.map((name) => `header ${name} is missing`);
  const faults = [];
  if (!/^[0-9]{20}$/.test(texts.ce_sequence)) faults.push("ce_sequence is not a position");
  if (texts.ce_id !== `${texts.ce_source}#${BigInt(texts.ce_sequence || 0)}`) faults.push("ce_id is not source#position");
  if (String(key) !== texts.ce_partitionkey) faults.push("the key is not ce_partitionkey");
  if (!texts.ce_dataschema.endsWith(`/${texts.ce_type.replace("dugnad.", "")}.json`)) {
    faults.push("ce_dataschema is not the schema of ce_type");
  }
  const schema = schemaOf(texts.ce_type);
  // A type that is newer than these schemas is no fault of the writer.
  if (schema === undefined) return faults;
  let data;
  try {
    data = JSON.parse(value);
  } catch {
    return [...faults, "the value is not JSON"];
  }
  if (!schema(data)) faults.push(...schema.errors.map((each) => `${each.instancePath} ${each.message}`));
  return faults;
}

// The highest position handled per subject: at or below it is a duplicate. A service that stores what it derives
// stores this beside it, in the same transaction; here it lasts as long as the process.
const handled = new Map();
const counts = { events: 0, duplicates: 0, unknown: 0, invalid: 0 };

function handle({ topic, partition, message }) {
  const texts = textsOf(message.headers);
  const faults = faultsOf(texts, message.key, message.value);
  if (faults.length > 0) {
    // Set aside with where it lies, never skipped in silence; what follows flows on.
    counts.invalid += 1;
    console.log(JSON.stringify({ topic, partition, offset: message.offset, invalid: faults }));
    return;
  }
  const subject = `${texts.ce_source} ${texts.ce_subject}`;
  const position = Number(texts.ce_sequence);
  if (position <= (handled.get(subject) ?? 0)) {
    counts.duplicates += 1;
    return;
  }
  handled.set(subject, position);
  if (schemaOf(texts.ce_type) === undefined) {
    counts.unknown += 1;
    return;
  }
  counts.events += 1;
  console.log(JSON.stringify({ id: texts.ce_id, type: texts.ce_type, subject: texts.ce_subject, data: JSON.parse(message.value) }));
}

const kafka = new Kafka({ brokers: KAFKA_BOOTSTRAP_SERVERS.split(","), clientId: GROUP, logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: GROUP });

async function stop() {
  await consumer.disconnect();
  console.log(JSON.stringify(counts));
}
process.once("SIGTERM", stop);
process.once("SIGINT", stop);

await consumer.connect();
await consumer.subscribe({ topics: process.argv.slice(2), fromBeginning: true });
// The offset is committed after `handle`: a process that dies in between gets the record again.
await consumer.run({ eachMessage: async (record) => handle(record) });
