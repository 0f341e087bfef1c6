// Checks a document against its JSON Schema: node schema.js MODULES SCHEMA DOCUMENT
const [, , modules, schema, document] = process.argv;
const fs = require('fs');
const path = require('path');
const Ajv = require(path.join(modules, 'ajv', 'dist', '2020.js')).default;
const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
const check = ajv.compile(read(schema));
if (!check(read(document))) {
  console.error(JSON.stringify(check.errors.slice(0, 5), null, 1));
  process.exit(1);
}
