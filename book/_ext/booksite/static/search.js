// Search behind the theme's own box: nothing is fetched before the first letter, and results are plain links.
{
  const dialog = document.getElementById("pst-search-dialog");
  const [form, input, status, list] = ["form", "input", ".search-status", ".search-results"].map((name) => dialog.querySelector(name));
  const words = JSON.parse(dialog.dataset.words);
  const root = new URL(document.documentElement.dataset.content_root, location.href);
  const HAN = /\p{Script=Han}/u;
  // in the index the words on both sides of an en dash are apart
  const parted = (text) => text.replace(/(\p{L})[-–](\p{L})/gu, "$1 $2");
  const LETTERS = [..."αβγδεζηθικλμνξοπρστυφχψω"];
  const NAMES = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega".split(" ");
  const SHOWN = 8;
  // milliseconds without a key before a search starts
  const PAUSE = 150;
  // length of an excerpt in words; a Han character counts as one
  const LENGTH = document.documentElement.lang.startsWith("zh") ? 60 : 28;
  let engine, timer, asked = 0;

  const load = () =>
    (engine ??= import(new URL("pagefind/pagefind.js", root)).then(async ({ createInstance }) => {
      const language = document.documentElement.lang.toLowerCase();
      const read = (name) => fetch(new URL(`pagefind/${name}.${language}.json`, root), { cache: "no-cache" }).then((answer) => answer.json());
      // title, page and terms of each piece, by as much of Pagefind's name of it as no other has
      const rows = async (name) =>
        Object.fromEntries(Object.entries(await read(name)).flatMap(([page, rows]) => rows.map(([title, name, terms]) => [`${language}_${name}`, [title, page, terms]])));
      const [index, titles] = await Promise.all([
        // an index this small needs no worker, which would be a second script to load
        createInstance({ basePath: new URL("pagefind/", root).pathname, noWorker: true }),
        rows("titles"),
      ]);
      const length = Object.keys(titles)[0].length;
      return { index, titles, read, rows, rowOf: ({ id }) => titles[id.slice(0, length)] };
    }));
  const say = (text, values = {}) => (status.textContent = text.replace(/\{(\w+)\}/g, (_, name) => values[name]));
  const bare = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

  // in the index every Han character is a word, and a Chinese word a phrase of them
  const apart = (text) => text.replace(new RegExp(HAN, "gu"), " $& ").trim();
  const matches = async (index, query) => {
    const ask = async (text) => (await index.search(text)).results;
    if (!HAN.test(query)) return ask(query);
    const terms = query.replace(/["“”]/g, " ").trim().split(/\s+/);
    const phrases = terms.filter((term) => HAN.test(term)).map((term) => ask(`"${apart(term)}"`));
    if (terms.length === 1) return phrases[0];
    const found = (await Promise.all(phrases)).map((results) => new Map(results.map(({ id, words }) => [id, words])));
    const loose = await ask(apart(terms.join(" ")));
    const whole = loose.filter(({ id }) => found.every((places) => places.has(id)));
    return whole.map((result) => Object.assign(result, { phrases: found.flatMap((places) => places.get(result.id)) }));
  };
  // If no word begins with the query, Pagefind shortens it, down to a letter. Such matches are not results. A single Han
  // character cannot be shortened.
  const answers = async (index, query) => {
    const results = await matches(index, query);
    if (!results.length || /^\p{Script=Han}+$/u.test(query)) return results;
    const { content, locations } = await results[0].data();
    const text = content.split(/\s+/);
    const marked = bare(locations.map((at) => text[at]).join(" "));
    return query.split(/\s+/).every((term) => marked.includes(bare(term).slice(0, 3))) ? results : [];
  };
  // whether two words differ by one letter more, by another letter, or by two that changed places
  const alike = (a, b) => {
    if (Math.abs(a.length - b.length) > 1) return false;
    let i = 0;
    while (i < a.length && a[i] === b[i]) i++;
    const [swapped, rest] = [a[i + 1] === b[i] && a[i] === b[i + 1], (word, from) => word.slice(i + from)];
    return rest(a, 1) === rest(b, 1) || rest(a, 1) === rest(b, 0) || rest(a, 0) === rest(b, 1) || (swapped && rest(a, 2) === rest(b, 2));
  };
  // A Latin word that begins none of the book's words becomes the most frequent of those that one typo makes it.
  const corrected = (query, known) =>
    query.replace(/[a-z]{4,}/gi, (typed) => {
      const word = typed.toLowerCase();
      // an ending is Pagefind's business
      if (NAMES.includes(word) || known.some((other) => other.startsWith(word) || other === word.slice(0, -1))) return typed;
      return known.find((other) => alike(word, other)) ?? typed;
    });
  const plain = (text) => parted(text.toLowerCase().replace(/["“”]/g, "").trim());
  // Pieces with exactly this name come first, then those that define this term, those whose name or term begins with it,
  // and those with all words in their titles. Functions and classes come last, unless the query is written like code.
  const nearness = ([title, , terms], query) => {
    const [own, wanted] = [title.replace(/^[\d.]+ /, "").replace(/^(The|An?) /, ""), plain(query)];
    const [name, first, ...defined] = [own, own.split(" · ")[0], ...(terms ?? "").split(" · ")].map(plain);
    if (terms === null && !/[_.(]/.test(query) && !(/[A-Z]/.test(query) && own.split(" · ")[0] === query)) return -1;
    if ([name, first].includes(wanted)) return 4;
    if (defined.includes(wanted)) return 3;
    return [name, ...defined].some((text) => text.startsWith(wanted)) ? 2 : +wanted.split(/\s+/).every((term) => name.includes(term));
  };
  const search = async (typed) => {
    const loaded = await load();
    const { index, titles, read, rows, rowOf } = loaded;
    // only a query in Latin letters needs the book's own words
    const known = /[a-z]{4}/i.test(typed) ? await (loaded.known ??= read("words")) : [];
    const query = corrected(typed, known);
    // a Greek letter by its name, which code spells out; if no code does, Pagefind would shorten the name
    const named = query.toLowerCase().split(/[^a-z]+/).filter((word) => NAMES.includes(word));
    const letters = query.replace(/[a-z]+/gi, (word) => LETTERS[NAMES.indexOf(word.toLowerCase())] ?? word);
    const texts = new Set((named.every((word) => known.includes(word)) ? [query, letters] : [letters]).map(parted));
    const found = (await Promise.all([...texts].map((text) => answers(index, text)))).flat();
    const addShared = async () => Object.assign(titles, await (loaded.shared ??= rows("shared")));
    // pieces of the pages that the editions share come last, unless the query is one of their names, all of which are Latin
    if (/[a-z]/i.test(query)) await addShared();
    const near = new Map(found.map((result) => [result.id, rowOf(result) ? nearness(rowOf(result), query) : -1]));
    found.sort((a, b) => near.get(b.id) - near.get(a.id) || b.score - a.score);
    const results = found.filter(({ id }, i) => found.findIndex((other) => other.id === id) === i);
    if (results.slice(0, SHOWN).some((result) => !rowOf(result))) await addShared();
    const pieces = await Promise.all(results.slice(0, SHOWN).map(async (found) => ({ ...(await found.data()), phrases: found.phrases, titles: rowOf(found) })));
    return { query, count: results.length, pieces };
  };

  const element = (name, className, ...children) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  };
  // The part of a piece with the most matches. Its title, which comes first in the text, is shown above already.
  const excerpt = ({ content, locations, phrases, meta }) => {
    const text = content.split(/\s+/);
    const title = meta.title.split(/\s+/).length;
    // a single character of a word in the query is not a match
    const stray = (at) => phrases && HAN.test(text[at]) && !phrases.includes(at);
    const marked = new Set(locations.filter((at) => at >= title && !stray(at)));
    const within = (start) => [...marked].filter((at) => at >= start && at < start + LENGTH).length;
    const best = [...marked].reduce((best, at) => (within(at) > within(best) ? at : best), Math.min(...marked, Infinity));
    const start = marked.size ? Math.max(title, best - LENGTH / 4) : title;
    const shown = element("p", "search-excerpt", start > title ? "… " : "");
    text.slice(start, start + LENGTH).forEach((word, i, all) => {
      // Chinese is written without the spaces that the index has, and so are dashes between words
      const joined = !i || /\p{L}–$/u.test(all[i - 1]) || [all[i - 1].slice(-1), word[0]].every((sign) => /[\p{Script=Han}\u3000-\u303f\uff00-\uffef“”‘’…—]/u.test(sign));
      shown.append(joined ? "" : " ", marked.has(start + i) ? element("mark", "", word) : word);
    });
    if (start + LENGTH < text.length) shown.append(" …");
    // a piece may be all title, or a title and a formula
    return /[\p{L}\p{N}]/u.test(shown.textContent) ? shown : "";
  };
  const result = (piece) => {
    const [title, page] = piece.titles;
    const link = element("a", "", element("strong", "", title));
    if (page) link.append(" ", element("small", "", page));
    // the index names a piece of page.html /edition/page/number-anchor.html
    const [, address, anchor] = piece.raw_url.match(/^\/[^/]+\/(.+)\/\d+-(.+)\.html$/);
    link.href = new URL(`${address}.html#${anchor}`, root);
    return element("li", "", link, excerpt(piece));
  };

  const show = async () => {
    const turn = ++asked;
    clearTimeout(timer);
    list.ariaBusy = "true";
    const query = input.value.trim();
    let count = 0, pieces = [], other = query;
    if (query && !list.firstChild) say(words.waiting);
    try {
      if (query) ({ count, pieces, query: other } = await search(query));
      // Pagefind does not report that a part of the index failed to load
      if (query && !count) await fetch(new URL("pagefind/pagefind-entry.json", root), { cache: "no-store" });
    } catch {
      engine = undefined;
      if (turn !== asked) return;
      list.replaceChildren();
      list.ariaBusy = "false";
      return say(words.failed);
    }
    if (turn !== asked) return;
    list.ariaBusy = "false";
    list.replaceChildren(...pieces.map(result));
    list.scrollTop = 0;
    const text = !query ? "" : !count ? words.none : count === 1 ? words.one : count > SHOWN ? words.best : words.many;
    say((count && other !== query ? words.instead : "") + text, { query, other, count, shown: SHOWN });
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  // the browser does not return the focus to the button in the bar above a page
  let opener;
  for (const button of document.querySelectorAll(".search-button__button")) button.addEventListener("click", () => (opener = button));
  dialog.addEventListener("close", () => {
    if ([document.body, input].includes(document.activeElement)) opener?.focus({ preventScroll: true });
    opener = undefined;
  });
  // the dialog opens with the previous query selected, so that typing replaces it
  new MutationObserver(() => dialog.open && input.select()).observe(dialog, { attributeFilter: ["open"] });
  // keys that belong to an input method, including Escape, must not reach the theme
  addEventListener("keydown", (event) => event.isComposing && event.target === input && event.stopImmediatePropagation(), true);

  if (location.protocol === "file:") say(words.file);
  else {
    const wait = ({ isComposing }) => {
      load().catch(() => {});
      clearTimeout(timer);
      list.ariaBusy = "true";
      if (!isComposing) timer = setTimeout(show, PAUSE);
    };
    input.addEventListener("input", wait);
    input.addEventListener("compositionend", wait);
    form.addEventListener("submit", async () => {
      await show();
      list.querySelector("a")?.click();
    });
    dialog.addEventListener("keydown", (event) => {
      // the theme closes the box only from within the field, and keeps the browser from closing it elsewhere
      if (event.key === "Escape" && event.target !== input) dialog.close();
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || event.isComposing) return;
      event.preventDefault();
      // from the box through the results and around again
      const stops = [input, ...list.querySelectorAll("a")];
      stops.at((stops.indexOf(document.activeElement) + step) % stops.length).focus();
    });
    // a result may be on this page
    list.addEventListener("click", ({ target, ctrlKey, metaKey, shiftKey }) => {
      if (!target.closest("a") || ctrlKey || metaKey || shiftKey) return;
      opener = undefined;
      dialog.close();
    });
  }
}
