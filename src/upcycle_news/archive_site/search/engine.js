// Looks words up in the index of the archive, of which only the files that a query needs are loaded.
// search_index.py writes them and says what is in them.

import { stem } from "./stemmer.js";

const MAX_WORDS = 12;
const MIN_BEGINNING = 3;
const MIN_HEAD = 4;
const MAX_FILES = 6; // for the beginning of a word, or for the parts of a compound
const LINKING_ELEMENTS = ["", "s", "es", "n", "en", "e", "er"];
const PART_OF_SCORE = 0.5;

const loaded = new Map();

function load(name) {
  if (!loaded.has(name)) {
    const file = fetch(new URL(name, import.meta.url)).then((answer) => {
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      return answer.json();
    });
    file.catch(() => loaded.delete(name));
    loaded.set(name, file);
  }
  return loaded.get(name);
}

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").normalize("NFC");

// Return the words of a text in lower case, each once; as `words` in search_index.py.
export function words(text) {
  const clean = text.normalize("NFC").replace(/\u00ad/g, "").toLowerCase();
  return [...new Set(clean.match(/[\p{L}\p{N}]+/gu) ?? [])].slice(0, MAX_WORDS);
}

export const termOf = (word) => fold(stem(word));

function fileOf(key) {
  const plain = /^[a-z0-9]*$/.test(key);
  return `w-${plain ? key : [...key].map((one) => `-${one.codePointAt(0).toString(16)}`).join("")}.json`;
}

class Index {
  constructor({ documents, block, keys }) {
    Object.assign(this, { documents, block, keys: new Set(keys) });
    this.longest = Math.max(0, ...keys.map((key) => [...key].length));
  }

  // Return the terms of the file that a term would be in.
  async terms(term) {
    const letters = [...term].slice(0, this.longest);
    for (let length = letters.length; length >= 0; length--) {
      const key = letters.slice(0, length).join("");
      if (this.keys.has(key)) return load(fileOf(key));
    }
    return {};
  }

  // Return the scores of a term by document, or null if the term is in none.
  async scores(term) {
    const terms = await this.terms(term);
    return Object.hasOwn(terms, term) ? this.decode(terms[term]) : null;
  }

  decode(postings) {
    const rarity = Math.log(1 + this.documents / postings.length);
    const scores = new Map();
    let document = 0;
    for (const posting of postings) {
      document += Math.floor(posting / 10);
      scores.set(document, (posting % 10) * rarity);
    }
    return scores;
  }

  // Return the scores of all terms that begin with a word that is not finished.
  async beginning(word) {
    const start = fold(word);
    if ([...start].length < MIN_BEGINNING) return null;
    const longer = [...this.keys].filter((key) => key.startsWith(start));
    if (longer.length > MAX_FILES) return null;
    const scores = new Map();
    for (const terms of await Promise.all([this.terms(start), ...longer.map((key) => load(fileOf(key)))])) {
      for (const term of Object.keys(terms).filter((one) => one.startsWith(start))) {
        for (const [document, score] of this.decode(terms[term])) {
          scores.set(document, Math.max(scores.get(document) ?? 0, score * PART_OF_SCORE));
        }
      }
    }
    return scores.size ? scores : null;
  }

  // Return the scores of the documents with both parts of a compound that is in none itself.
  async parts(word) {
    let files = 0;
    for (let cut = word.length - MIN_BEGINNING; cut >= MIN_HEAD; cut--) {
      for (const element of LINKING_ELEMENTS) {
        const head = word.slice(0, cut - element.length);
        if (head.length < MIN_HEAD || !word.slice(0, cut).endsWith(element)) continue;
        const first = await this.scores(termOf(head));
        if (!first) continue;
        if (++files > MAX_FILES) return null;
        const second = await this.scores(termOf(word.slice(cut)));
        const both = second && [...first].filter(([document]) => second.has(document));
        if (both?.length) {
          return new Map(both.map(([at, score]) => [at, (score + second.get(at)) * PART_OF_SCORE]));
        }
      }
    }
    return null;
  }

  async find(word) {
    return (await this.scores(termOf(word))) ?? (await this.beginning(word)) ?? (await this.parts(word));
  }
}

let index;

// Return the numbers of the documents for a query, the best first, and the words that are in none;
// `partial` where no document has all of the others.
export async function search(query) {
  index ??= new Index(await load("index.json"));
  const asked = words(query);
  const found = await Promise.all(asked.map((word) => index.find(word)));
  const known = found.filter(Boolean);
  const totals = new Map();
  for (const scores of known) {
    for (const [document, score] of scores) {
      const total = totals.get(document) ?? { matches: 0, score: 0 };
      totals.set(document, { matches: total.matches + 1, score: total.score + score });
    }
  }
  const most = Math.max(0, ...[...totals.values()].map((total) => total.matches));
  const best = [...totals].filter(([, total]) => total.matches === most);
  best.sort(([a, one], [b, other]) => other.score - one.score || b - a);
  return {
    documents: best.map(([document]) => document),
    unknown: asked.filter((_, at) => !found[at]),
    partial: most > 0 && most < known.length,
  };
}

// Return what is known about documents; null for one that was withdrawn since.
export async function describe(numbers) {
  const blocks = numbers.map((number) => load(`d-${Math.floor(number / index.block)}.json`));
  return (await Promise.all(blocks)).map((block, at) => block[numbers[at] % index.block]);
}
