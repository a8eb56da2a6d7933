// What jsonstat-toolkit makes of the answers: printed as JSON, so that a test can compare it with the cells.
import JSONstat from "jsonstat-toolkit";

const [base] = process.argv.slice(2);
const query =
  "valueCodes[Region]=0,33&valueCodes[ContentsCode]=slots,needs&valueCodes[Tid]=2024M02,2024M03&lang=en";
const dataset = await JSONstat(`${base}/tables/trakt/data?${encodeURI(query)}`);
const metadata = await JSONstat(`${base}/tables/trakt/metadata`);
const workforce = await JSONstat(`${base}/tables/arbeidsstyrke/data`);
const missing = workforce.value.findIndex((value) => value === null);
console.log(
  JSON.stringify({
    class: dataset.class,
    label: dataset.label,
    id: dataset.id,
    size: dataset.size,
    role: dataset.role,
    values: dataset.Data().map((cell) => cell.value),
    one: dataset.Data({ Region: "33", ContentsCode: "needs", Tid: "2024M03" }).value,
    regions: dataset.Dimension("Region").Category().map((category) => category.label),
    unit: dataset.Dimension("ContentsCode").Category("needs").unit,
    rows: dataset.toTable({ type: "arrobj" }).length,
    note: dataset.note.length,
    metadata: metadata.id,
    missing: workforce.Data(missing).status,
  }),
);
