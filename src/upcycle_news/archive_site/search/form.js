// Shows the form for searching the archive. What it needs is loaded with the first query.

const PAGE = 10;
const ROOT = new URL("../", import.meta.url);

const form = document.querySelector("form.search");
const field = form.elements.q;
const status = document.querySelector("#search-status");
const results = document.querySelector("#search-results");
const list = results.querySelector("ol");
const more = results.querySelector("button");
const rest = document.querySelector("#list"); // what the page shows without a query, if anything

let current = 0; // the number of the query, so that a slow answer does not take the place of a later one
let waiting = []; // documents that are found and not shown yet

const say = (name, values = {}) =>
  Object.entries(values).reduce((text, [key, value]) => text.replace(`{${key}}`, () => value), form.dataset[name]);

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => value && made.setAttribute(key, value));
  return made;
}

function result([title, path, day, date, byline, summary, lang, dir]) {
  const article = element("article", "", { class: "entry", lang, dir });
  const heading = element("h3", "");
  heading.append(element("a", title, { class: "ink", href: new URL(path, ROOT).href }));
  const page = document.documentElement;
  const meta = element("p", "", { class: "meta", lang: lang && page.lang, dir: dir && page.dir });
  if (byline) meta.append(element("bdi", byline), " · ");
  meta.append(element("time", date, { datetime: day }));
  article.append(heading, meta);
  if (summary) article.append(element("p", summary, { class: "summary" }));
  const item = element("li", "");
  item.append(article);
  return item;
}

async function showMore(engine, query) {
  const numbers = waiting.slice(0, PAGE);
  const documents = (await engine.describe(numbers)).filter(Boolean);
  if (query !== current) return null;
  waiting = waiting.slice(PAGE);
  const items = documents.map(result);
  list.append(...items);
  more.hidden = waiting.length === 0;
  return items[0] ?? null;
}

function reset(text = "") {
  current += 1;
  waiting = [];
  list.replaceChildren();
  results.hidden = true;
  if (rest) rest.hidden = false;
  status.textContent = text;
}

async function run(query) {
  reset();
  if (!query) return;
  const own = current;
  status.textContent = say("busy");
  try {
    const engine = await import("./engine.js");
    const found = await engine.search(query);
    if (own !== current) return;
    waiting = found.documents;
    const count = waiting.length;
    await showMore(engine, own);
    if (own !== current) return;
    const lines = [say(count === 0 ? "none" : count === 1 ? "one" : "found", { count, query })];
    if (count && found.unknown.length) lines.push(say("unknown", { words: found.unknown.join(", ") }));
    if (found.partial) lines.push(say("partial"));
    status.textContent = lines.join(" ");
    results.hidden = count === 0;
    if (rest) rest.hidden = count > 0;
  } catch {
    if (own === current) reset(say("failed"));
  }
}

const asked = () => new URL(location.href).searchParams.get("q")?.trim() ?? "";

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const query = field.value.trim();
  const address = new URL(location.href);
  if (query) address.searchParams.set("q", query);
  else address.searchParams.delete("q");
  address.hash = "";
  if (address.href !== location.href) history.pushState(null, "", address);
  run(query);
});
field.addEventListener("input", () => {
  if (!field.value) reset();
});
more.addEventListener("click", async () => {
  try {
    const first = await showMore(await import("./engine.js"), current);
    first?.querySelector("a").focus();
  } catch {
    status.textContent = say("failed");
  }
});
addEventListener("popstate", () => {
  field.value = asked();
  run(field.value);
});

form.hidden = false;
if (asked()) {
  field.value = asked();
  run(field.value);
}
