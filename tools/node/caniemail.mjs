// Reads HTML from standard input; prints {feature: [client, …]} of what mail programs do not support.
// caniemail's own list of clients lacks the German ones, though its data has them.
import { readFileSync } from 'node:fs';

import { clientNames } from './node_modules/caniemail/dist/clients.js';
import { rawData } from './node_modules/caniemail/dist/features.js';
import { caniemail } from './node_modules/caniemail/dist/index.js';

const GERMAN = [
  'gmx.desktop-webmail', 'gmx.ios', 'gmx.android',
  'web-de.desktop-webmail', 'web-de.ios', 'web-de.android',
  't-online-de.desktop-webmail',
];
clientNames.push('outlook.outlook-com', ...GERMAN);

// What nobody has tested there is no finding; caniemail would end with an error.
for (const { stats } of rawData.data) {
  for (const name of clientNames) {
    const [family, platform] = name.split('.');
    ((stats[family] ??= {})[platform] ??= { untested: 'y' });
  }
}

const CLIENTS = [
  'apple-mail.*', 'gmail.*', 'outlook.*', 'samsung-email.*', 'thunderbird.*', 'yahoo.*',
  'gmx.*', 'web-de.*', 't-online-de.*',
];

const { issues } = caniemail({ clients: CLIENTS, html: readFileSync(0, 'utf8') });
const found = {};
for (const [level, clients] of Object.entries(issues)) {
  for (const [client, features] of clients) {
    for (const { title } of features) {
      (found[`${level}: ${title}`] ??= new Set()).add(client);
    }
  }
}
console.log(JSON.stringify(Object.fromEntries(
  Object.entries(found).sort().map(([title, clients]) => [title, [...clients].sort()]),
)));
