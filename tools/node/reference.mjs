// Renders MJML from standard input with the reference compiler, which also inlines its styles;
// prints {median_ms, best_ms, bytes, errors}.
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

import mjml2html from 'mjml';

const source = readFileSync(0, 'utf8');
const rounds = Number(process.argv[2] ?? 30);
const times = [];
let result;
for (let round = 0; round < rounds + 5; round += 1) {
  const start = performance.now();
  result = await mjml2html(source, { keepComments: false, fonts: {} });
  if (round >= 5) times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({
  median_ms: times[times.length >> 1],
  best_ms: times[0],
  bytes: Buffer.byteLength(result.html),
  errors: result.errors.length,
}));
