// The stemmer for German of Snowball 3, so that a query has the stems of the index: Bahnhöfen, Bahnhofs and
// Bahnhof are "bahnhof". Words are letters and digits only, in lower case.
//
// After german.sbl, Copyright (c) 2001, Dr Martin Porter, (c) 2004, 2005, Richard Boulton (BSD-3-Clause,
// https://snowballstem.org/license.html).

const VOWELS = "aeiouyäöü";
const DIGRAPHS = { "ß": "ss", ae: "ä", oe: "ö", ue: "ü" };
const PLAIN = { U: "u", Y: "y", "ä": "a", "ö": "o", "ü": "u" };

const isVowel = (letter) => letter !== undefined && VOWELS.includes(letter);

// Between vowels, u and y are consonants; they are marked by capitals.
function prelude(word) {
  const letters = [...word];
  for (let at = 0; at + 2 < letters.length; at++) {
    const middle = letters[at + 1];
    if (isVowel(letters[at]) && (middle === "u" || middle === "y") && isVowel(letters[at + 2])) {
      letters[at + 1] = middle.toUpperCase();
    }
  }
  return letters.join("").replace(/qu|ß|ae|oe|ue/g, (pair) => DIGRAPHS[pair] ?? pair);
}

// Return the place behind the first consonant that follows a vowel, from `start` on.
function regionAfter(word, start) {
  let at = start;
  while (at < word.length && !isVowel(word[at])) at++;
  while (at < word.length && isVowel(word[at])) at++;
  return at < word.length ? at + 1 : word.length + 1;
}

// Return the longest of the suffixes that the word ends with, or "".
function longest(word, suffixes) {
  return suffixes.filter((suffix) => word.endsWith(suffix)).sort((a, b) => b.length - a.length)[0] ?? "";
}

function firstStep(word, r1) {
  const suffix = longest(word, ["em", "erinnen", "erin", "ern", "er", "e", "en", "es", "s", "ln", "lns"]);
  const rest = word.slice(0, word.length - suffix.length);
  if (!suffix || rest.length < r1) return word;
  switch (suffix) {
    case "em": return rest.endsWith("syst") ? word : rest;
    case "s": return /[bdfghklmnrt]$/.test(rest) ? rest : word;
    case "ln": case "lns": return rest + "l";
    case "e": case "en": case "es": return rest.endsWith("niss") ? rest.slice(0, -1) : rest;
    default: return rest;
  }
}

function secondStep(word, r1) {
  const suffix = longest(word, ["en", "er", "et", "st", "est"]);
  const rest = word.slice(0, word.length - suffix.length);
  if (!suffix || rest.length < r1) return word;
  if (suffix === "st") return rest.length >= 4 && /[bdfghklmnt]$/.test(rest) ? rest : word;
  if (suffix === "et") return /[Udfgklmnrstzä]$/.test(rest) && !/(tick|plan|geordn|intern|tr)$/.test(rest) ? rest : word;
  return rest;
}

function thirdStep(word, r1, r2) {
  const suffix = longest(word, ["end", "ung", "ig", "ik", "isch", "lich", "heit", "keit"]);
  const rest = word.slice(0, word.length - suffix.length);
  if (!suffix || rest.length < r2) return word;
  const without = (ending, region) => {
    const shorter = rest.slice(0, rest.length - ending.length);
    return ending && shorter.length >= region ? shorter : rest;
  };
  switch (suffix) {
    case "end": case "ung": return rest.endsWith("eig") ? rest : without(longest(rest, ["ig"]), r2);
    case "ig": case "ik": case "isch": return rest.endsWith("e") ? word : rest;
    case "lich": case "heit": return without(longest(rest, ["er", "en"]), r1);
    default: return without(longest(rest, ["lich", "ig"]), r2);
  }
}

// Return the stem of a word.
export function stem(word) {
  const marked = prelude(word);
  let r1 = marked.length, r2 = marked.length;
  if (marked.length >= 3) {
    const first = regionAfter(marked, 0);
    if (first <= marked.length) {
      r1 = Math.max(first, 3);
      r2 = Math.min(regionAfter(marked, first), marked.length);
    }
  }
  const shortened = thirdStep(secondStep(firstStep(marked, r1), r1), r1, r2);
  return shortened.replace(/[UYäöü]/g, (letter) => PLAIN[letter]);
}
