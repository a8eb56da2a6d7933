// Parses AsyncAPI documents with the reference parser and holds records against what they say of their channel.
//   node check_asyncapi.mjs asyncapi.yaml [another.yaml …] < records.json
// Records: [{address, key, headers: {name: text}, value}], texts only. Says a line of JSON per document:
// {diagnostics, messages, met, faults}.

import { readFileSync } from "node:fs";
import { Parser, fromFile } from "@asyncapi/parser";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const OURS = ["x-type", "x-source", "x-topic", "x-subject", "x-partition-key", "x-known-values", "x-parser-schema-id"];

/** Per channel address and message name, what checks a record's headers, key and payload. */
function checksOf(document) {
  const ajv = new Ajv2020({ allErrors: true });
  addFormats(ajv);
  ajv.addVocabulary(OURS);
  const checks = new Map();
  for (const channel of document.channels().all()) {
    for (const message of channel.messages().all()) {
      const { schema } = message.payload().json();
      checks.set(`${channel.address()} ${message.name()}`, {
        headers: ajv.compile(message.headers().json()),
        key: ajv.compile(message.bindings().get("kafka").value().key),
        // Two messages may have one schema.
        payload: ajv.getSchema(schema.$id) ?? ajv.compile(schema),
      });
    }
  }
  return checks;
}

function faultsOf(check, record) {
  const parts = { headers: record.headers, key: record.key, payload: JSON.parse(record.value) };
  return Object.entries(parts).flatMap(([part, data]) =>
    check[part](data) ? [] : check[part].errors.map((each) => `${part} ${each.instancePath} ${each.message}`),
  );
}

const records = JSON.parse(readFileSync(0, "utf8"));
for (const path of process.argv.slice(2)) {
  const { document, diagnostics } = await fromFile(new Parser(), path).parse();
  const checks = document === undefined ? new Map() : checksOf(document);
  const met = new Set();
  const faults = [];
  for (const record of records) {
    const name = `${record.address} ${record.headers.ce_type}`;
    const check = checks.get(name);
    const found = check === undefined ? ["no such message on this channel"] : faultsOf(check, record);
    faults.push(...found.map((fault) => `${name}: ${fault}`));
    met.add(name);
  }
  // Errors and warnings; what is less is advice.
  const worst = diagnostics.filter((each) => each.severity <= 1).map((each) => `${each.path.join("/")}: ${each.message}`);
  console.log(JSON.stringify({ diagnostics: worst, messages: [...checks.keys()], met: [...met], faults }));
}
