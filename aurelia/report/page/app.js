"use strict";
// Builds the questions of the page on demand. Every text is set with textContent, so that nothing in it is ever markup.
(() => {
  const $ = (id) => document.getElementById(id);
  const meta = JSON.parse($("meta").textContent);
  const chunks = new Map();
  const FIRST = 40;
  const MORE = 200;
  const FOLLOW_MS = 5000;
  let index = [];
  let found = [];
  let shown = 0;

  async function unpack(id) {
    const text = JSON.parse($(id).textContent);
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  function chunk(id) {
    if (!chunks.has(id)) chunks.set(id, unpack(id));
    return chunks.get(id);
  }

  function el(name, attributes, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key === "text") node.textContent = value;
      else if (value !== null && value !== undefined) node.setAttribute(key, value);
    }
    for (const child of children) if (child) node.append(child);
    return node;
  }

  const said = (text, name = "p", css = "said") => el(name, { class: css, dir: "auto", text: text });
  const seconds = (value) => (value === null || value === undefined ? "" : `${value.toFixed(1)} s`);
  const dollars = (usage) => (!usage || usage.cost_usd === null ? "cost unknown" : `$${usage.cost_usd.toFixed(4)}`);
  const MARKS = { right: "✓", wrong: "✗", unparsed: "?", failed: "!", part: "½", unscored: "–", captioned: "≈", none: "–" };
  const pill = (mark, text) => el("span", { class: `pill ${mark}`, text: `${MARKS[mark]} ${text || mark}` });

  // --- the list -------------------------------------------------------------------------------------------------
  // As the table of accuracy counts them: an unparsed answer is not right, a failed one is no answer.
  const notRight = (mark) => ["wrong", "part", "unparsed"].includes(mark);
  const tests = {
    fixed: (row) => notRight(row.z) && row.a === "right",
    broke: (row) => row.z === "right" && notRight(row.a),
    "both-right": (row) => row.z === "right" && row.a === "right",
    "both-wrong": (row) => row.z === "wrong" && row.a === "wrong",
    "zero-right": (row) => row.z === "right",
    "zero-wrong": (row) => row.z === "wrong",
    "aurelia-right": (row) => row.a === "right",
    "aurelia-wrong": (row) => row.a === "wrong",
    unparsed: (row) => row.z === "unparsed" || row.a === "unparsed",
    failed: (row) => row.z === "failed" || row.a === "failed",
    differ: (row) => row.z !== row.a,
    media: (row) => row.media !== null,
    "runs-differ": (row) => differing.has(row.id),
  };
  const inScore = { low: [1, 3], middle: [4, 6], good: [7, 8], best: [9, 10] };
  const orders = {
    "score-up": (one, other) => (one.score ?? 99) - (other.score ?? 99),
    "score-down": (one, other) => (other.score ?? -1) - (one.score ?? -1),
    attempts: (one, other) => other.attempts - one.attempts,
    unparsed: (one, other) => tests.unparsed(other) - tests.unparsed(one),
    kind: (one, other) => (one.kindText < other.kindText ? -1 : one.kindText > other.kindText ? 1 : 0),
    claims: (one, other) => other.claims[1] - one.claims[1],
    question: (one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : one.run - other.run),
  };
  // Numbers of claims: supported, contradicted, cannot tell.
  const claimTests = {
    contradicted: (claims) => claims[1] > 0,
    supported: (claims) => claims[0] > 0 && claims[1] + claims[2] === 0,
    "cannot-tell": (claims) => claims[2] > 0,
    none: (claims) => claims[0] + claims[1] + claims[2] === 0,
  };
  const FILTERS = ["search", "column", "category", "outcome", "run", "score", "attempts", "kind", "claims", "order"];
  const differing = new Set();
  const sameQuestion = new Map();
  let alone = null;

  // Questions that several runs answered, and those of them with different verdicts.
  function findDiffering() {
    if (meta.names.length < 2) return;
    for (const row of index) {
      const name = `${row.id} ${row.number}`;
      const rows = sameQuestion.get(name) ?? [];
      if (rows.some((other) => other.z !== row.z || other.a !== row.a)) differing.add(row.id);
      sameQuestion.set(name, [...rows, row]);
    }
  }

  // --- links ----------------------------------------------------------------------------------------------------
  const address = (row) => `#${new URLSearchParams({ question: row.id, rollout: row.number, run: row.run })}`;

  function writeLink() {
    const given = new URLSearchParams();
    for (const id of FILTERS) if ($(id).value) given.set(id, $(id).value);
    $("link").href = `#${given.size ? given : "questions"}`;
  }

  function readLink() {
    const given = new URLSearchParams(location.hash.slice(1));
    alone = given.has("question") ? given : null;
    if (!alone && !FILTERS.some((id) => given.has(id))) return false;
    for (const id of FILTERS) $(id).value = alone ? "" : (given.get(id) ?? "");
    search();
    if (alone) for (const details of document.querySelectorAll("#list > .question")) details.open = true;
    $("questions").scrollIntoView();
    return true;
  }

  const isAlone = (row) =>
    row.id === alone.get("question") && row.number === Number(alone.get("rollout") ?? 0) && row.run === Number(alone.get("run") ?? 0);

  function line(row) {
    const name = row.number === 0 ? row.id : `${row.id} · ${row.number}`;
    const head = el(
      "summary",
      {},
      el("span", { class: "marks" }, pill(row.z, "zero-shot"), pill(row.a, "AURELIA")),
      el("span", { class: "asked", dir: "auto", text: row.question }),
      el("span", { class: "where", dir: "auto", text: [meta.columns[row.column], meta.categories[row.category], name, meta.names.length > 1 ? meta.names[row.run] : ""].filter(Boolean).join(" · ") }),
    );
    const details = el("details", { class: "question", "data-row": row.position }, head);
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) fill(details, row);
    });
    return details;
  }

  function search() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [column, category, outcome, run, score, attempts, kind, claims, order] = FILTERS.slice(1).map((id) => $(id).value);
    const [least, most] = inScore[score] ?? [0, 99];
    found = index.filter(
      (row) =>
        (alone === null || isAlone(row)) &&
        (score === "" || (score === "none" ? row.score === null : row.score !== null && row.score >= least && row.score <= most)) &&
        (attempts === "" || Math.min(row.attempts, 5) === Number(attempts)) &&
        (column === "" || row.column === Number(column)) &&
        (category === "" || row.category === Number(category)) &&
        (run === "" || row.run === Number(run)) &&
        (kind === "" || row.kinds.includes(Number(kind))) &&
        (claims === "" || claimTests[claims](row.claims)) &&
        (outcome === "" || tests[outcome](row)) &&
        words.every((word) => row.text.includes(word)),
    );
    if (order) found.sort(orders[order]);
    else if (outcome === "runs-differ") found.sort(orders.question);
    writeLink();
    $("list").replaceChildren();
    shown = 0;
    more(FIRST);
  }

  function more(count) {
    $("list").append(...found.slice(shown, shown + count).map(line));
    shown = Math.min(found.length, shown + count);
    $("count").textContent = `${found.length} of ${index.length} questions; ${shown} listed`;
    $("more").hidden = shown >= found.length;
  }

  // --- one question ---------------------------------------------------------------------------------------------
  async function fill(details, row) {
    const body = el("div", { class: "body" }, el("p", { class: "note", text: "Loading…" }));
    details.append(body);
    try {
      const one = (await chunk(`d${Math.floor(row.position / meta.chunk)}`))[row.position % meta.chunk];
      const media = row.media === null ? null : (await chunk(`m${row.media}`));
      body.replaceChildren(...[asked(one), answers(one), otherRuns(row), player(one), clip(one, media), attempts(one), given(one), rest(one, row)].filter(Boolean));
    } catch (fault) {
      body.replaceChildren(el("p", { class: "note", text: `This question cannot be shown: ${fault.message}` }));
    }
  }

  function asked(one) {
    const part = el("section", {}, el("h3", { text: "Question" }));
    for (const turn of one.history) part.append(said(`Q: ${turn.question}\nA: ${turn.answer}`, "p", "said note"));
    part.append(said(one.question, "p", "said big"));
    if (one.choices.length) {
      const list = el("ol", { class: "choices" });
      for (const choice of one.choices) {
        const right = one.answers.includes(choice);
        list.append(el("li", { class: right ? "truth" : null }, said(choice, "span"), right && el("em", { text: " ← the truth" })));
      }
      part.append(list);
    }
    if (!one.answers.length) return part;
    const truth = el("p", {}, el("b", { text: one.answers.length > 1 ? "Reference answers: " : "The truth: " }));
    one.answers.forEach((answer, at) => truth.append(at ? " / " : "", said(answer, "bdi", "truth")));
    part.append(truth);
    return part;
  }

  function answers(one) {
    if (!Object.keys(one.arms).length) return null;
    const cards = el("div", { class: "cards" });
    for (const [arm, title] of [["zero_shot", "Zero-shot"], ["aurelia", "AURELIA"]]) {
      const side = one.arms[arm];
      const card = el("div", { class: `card ${side ? side.mark : "none"}` }, el("h3", { text: title }));
      if (!side) card.append(el("p", { class: "note", text: "not asked in this run" }));
      else {
        if (one.answers.length || side.mark !== "unscored") card.append(el("p", {}, pill(side.mark), el("span", { class: "note", text: side.how ? ` by ${side.how}` : "" })));
        card.append(side.error ? said(side.error, "p", "said fault") : said(side.answer ?? "", "p", "said big"));
        if (side.raw) card.append(el("details", {}, el("summary", { text: "the whole reply" }), said(side.raw)));
        if (side.choice) card.append(el("p", { class: "note" }, "choice: ", said(side.choice, "bdi", "")));
        if (side.said) card.append(el("p", { class: "note" }, side.how === "judge" ? "the judge: " : "rule: ", said(side.said, "bdi", "")));
        const scores = Object.entries(side.scores || {}).map(([name, value]) => `${name} ${value === null ? "–" : value.toFixed(3)}`);
        if (scores.length) card.append(el("p", { class: "note", text: scores.join(" · ") }));
        const calls = side.usage ? side.usage.calls : 0;
        if (side.usage) card.append(el("p", { class: "note", text: `${calls} call${calls === 1 ? "" : "s"} · ${dollars(side.usage)}` }));
      }
      cards.append(card);
    }
    return cards;
  }

  // The same question in the other runs, each with its verdicts, answers and link.
  function otherRuns(row) {
    const rows = (sameQuestion.get(`${row.id} ${row.number}`) ?? []).filter((other) => other !== row);
    if (!rows.length) return null;
    const body = el("tbody", {});
    for (const other of rows)
      body.append(
        el("tr", {}, el("th", { scope: "row" }, el("a", { href: address(other), dir: "auto", text: meta.names[other.run] })),
          el("td", {}, pill(other.z), " ", said(other.zero, "bdi", "")), el("td", {}, pill(other.a), " ", said(other.aurelia, "bdi", "")),
          el("td", { text: other.score ?? "none" }), el("td", { text: other.attempts })),
      );
    const head = el("tr", {}, ...["run", "zero-shot", "AURELIA", "score", "attempts"].map((text) => el("th", { scope: "col", text })));
    const table = el("table", { class: "words" }, el("thead", {}, head), body);
    return el("section", {}, el("h3", { text: "This question in the other runs" }), el("div", { class: "wide", role: "region", tabindex: "0", "aria-label": "This question in the other runs" }, table));
  }

  function shape(name, attributes) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  }

  function clip(one, media) {
    if (!media) return one.no_media ? said(one.no_media, "p", "said note") : null;
    const whole = media.duration || 1;
    const length = media.duration ? `Clip, ${media.duration.toFixed(1)} s` : "Images";
    const part = el("section", { class: "clip" }, el("h3", { text: length }));
    const strip = el("div", { class: "strip" });
    for (const frame of media.frames) {
      const still = frame.time === null;
      const image = el("img", { src: frame.jpeg, alt: still ? "image" : `frame at ${frame.time.toFixed(2)} s`, loading: "lazy" });
      strip.append(el("figure", {}, image, el("figcaption", { text: still ? "image" : `${frame.time.toFixed(1)} s` })));
    }
    part.append(strip);
    if (!media.duration) return part;
    const line = shape("svg", { viewBox: "0 0 1000 130", class: "timeline", role: "img", preserveAspectRatio: "none" });
    line.append(shape("title", {}));
    line.firstChild.textContent = "Time line: frames, loudness of the sound, and where evaluator and feedback pointed";
    for (const frame of media.frames.filter((one) => one.time !== null)) line.append(shape("path", { class: "tick", d: `M${(1000 * frame.time) / whole} 0v12` }));
    media.peaks.forEach((peak, at) => {
      const high = Math.max(1, (peak / 100) * 70);
      const wide = 1000 / media.peaks.length;
      line.append(shape("rect", { class: "wave", x: at * wide, y: 50 - high / 2, width: wide * 0.8, height: high }));
    });
    one.attempts.forEach((attempt, at) => {
      const bars = [["doubt", attempt.doubts, 90], ["window", attempt.windows, 108]];
      for (const [css, spans, y] of bars)
        for (const span of spans || []) {
          const wide = Math.max(3, (1000 * (span.end - span.start)) / whole);
          const bar = shape("rect", { class: css, x: (1000 * span.start) / whole, y: y + (at % 4) * 4, width: wide, height: 3 });
          bar.append(shape("title", {}));
          bar.firstChild.textContent = `attempt ${attempt.iteration}: ${span.start}–${span.end} s`;
          line.append(bar);
        }
    });
    part.append(line);
    const silent = media.peaks.length ? "waveform" : "no sound";
    part.append(el("p", { class: "note", text: `0 s to ${media.duration.toFixed(1)} s: frames (ticks), ${silent}, the evaluator's doubts (orange), where feedback said to look (blue)` }));
    for (const name of media.notes || []) part.append(said(name, "p", "said note"));
    return part;
  }

  // The files beside the page in the folder "media", or those that `aurelia bench view` serves there.
  function player(one) {
    if (!one.video && !one.audio.length) return null;
    const part = el("section", { class: "player" });
    const play = el("button", { type: "button", text: "Play clip and sound" });
    play.addEventListener("click", () => {
      const path = (name) => `media/${name.split("/").map(encodeURIComponent).join("/")}`;
      const named = [...(one.video ? [["video", one.video]] : []), ...one.audio.map((name) => ["audio", name])];
      const nodes = named.map(([kind, name]) => {
        const node = el(kind, { controls: "", preload: "metadata", src: path(name), "aria-label": name });
        node.addEventListener("error", () =>
          node.replaceWith(said(`${name} is not in a folder "media" beside this page: run aurelia bench view to play it.`, "p", "said note")));
        return node;
      });
      part.replaceChildren(...nodes);
    });
    part.append(play);
    return part;
  }

  function steps(reasoning, mode) {
    const list = el("ol", { class: "steps" });
    for (const step of reasoning.steps) {
      const item = el("li", {}, said(step.step, "span"), " ", el("span", { class: `chip ${step.modality}`, text: step.modality }));
      if (mode !== "steps") item.append(said(step.answer, "p", "said finding"));
      if (mode === "full") item.append(said(step.justification, "p", "said note"));
      list.append(item);
    }
    const whole = el("div", {}, list);
    if (mode === "full") whole.append(el("p", { class: "note" }, "the generator's answer: ", said(reasoning.answer, "bdi", "")));
    return whole;
  }

  const CLAIM_MARKS = { supported: "right", contradicted: "wrong", cannot_tell: "unparsed" };
  const span = (window) => (window ? `${window.start}–${window.end} s` : "the whole clip");

  const verdictCounts = (findings) =>
    ["supported", "contradicted", "cannot_tell"].map((verdict) => `${findings.filter((one) => one.verdict === verdict).length} ${verdict.replace("_", " ")}`).join(", ");

  function claimList(findings) {
    const list = el("ul", { class: "claims" });
    for (const one of findings) {
      const margin = one.margin === null ? "" : `, margin ${one.margin.toFixed(2)}`;
      list.append(el("li", {}, pill(CLAIM_MARKS[one.verdict] ?? "none", one.verdict.replace("_", " ")), " ", said(one.claim.text, "span"), " ",
        el("span", { class: "chip", text: one.claim.kind }), said(`${span(one.window ?? one.claim.window)}, ${one.witness}${margin}: ${one.reason}`, "p", "said note")));
    }
    return list;
  }

  function attempts(one) {
    if (!one.attempts.length) return null;
    const part = el("section", {}, el("h3", { text: `Attempts: ${one.attempts.length}, stopped by ${one.stop_reason || "nothing"}, ${seconds(one.attempts.reduce((sum, attempt) => sum + attempt.seconds, 0))}` }));
    for (const attempt of one.attempts) {
      const best = attempt.iteration === one.best_iteration;
      const score = attempt.score === null ? "no score" : `${attempt.score}/10`;
      const card = el("div", { class: `card attempt${best ? " best" : ""}` });
      card.append(
        el("p", {}, el("b", { text: `Attempt ${attempt.iteration} ` }), el("span", { class: "score", text: score }), best && el("em", { text: " the best: given to the target" }),
          el("span", { class: "note", text: ` ${dollars(attempt.usage)} · ${seconds(attempt.seconds)}` })),
      );
      const found = attempt.claims?.length ? null : attempt.critique;
      for (const [title, text, css] of [["Caption", attempt.caption, "said"], ["Evaluator", found, "said"], ["Fault", attempt.error, "said fault"], ["Feedback", attempt.feedback, "said"]])
        if (text) card.append(el("h4", { text: title }), said(text, "p", css));
      if (attempt.claims?.length) card.append(el("h4", { text: `Claims: ${verdictCounts(attempt.claims)}, which makes the score` }), claimList(attempt.claims));
      if (attempt.reasoning) card.append(el("details", {}, el("summary", { text: "Its reasoning in full" }), steps(attempt.reasoning, "full")));
      part.append(card);
    }
    return part;
  }

  function given(one) {
    if (!one.best) return one.arms.aurelia ? el("p", { class: "note", text: "The target was given no reasoning." }) : null;
    return el("section", {}, el("h3", { text: `What the target was given (${one.inject}, attempt ${one.best_iteration}, score ${one.score ?? "none"})` }), steps(one.best, one.inject),
      one.gate && el("p", { class: "note" }, `Gate (${one.gate.gate}): the ${one.gate.chosen === "reasoning" ? "answer with reasoning" : "zero-shot answer"} counts, because `, said(one.gate.reason, "bdi", "")));
  }

  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

  function rest(one, row) {
    const part = el("section", {});
    part.append(el("p", { class: "note" }, el("a", { href: address(row), text: "link to this question" })));
    if (meta.files[row.run]) part.append(el("p", { class: "note" }, "every step of it: ", el("code", { text: `aurelia trace ${quoted(meta.files[row.run])} ${quoted(row.id)}` })));
    for (const warning of one.warnings) part.append(said(`Warning: ${warning}`, "p", "said fault"));
    for (const reason of one.reference) part.append(said(`Reference reasoning: ${reason}`, "p", "said note"));
    part.append(said(`${one.where}`, "p", "said note"));
    return part;
  }

  // --- a run that is going ------------------------------------------------------------------------------------------
  // The page is read anew when the run went on, but never under a reader: with an open question there is a button.
  async function follow() {
    let state = meta.live;
    try {
      state = await (await fetch("state", { cache: "no-store" })).text();
    } catch {
      return;
    }
    if (state === meta.live) return;
    if (!document.querySelector(".question[open]") && scrollY < 50) {
      location.reload();
      return;
    }
    if (!$("news").hidden) return;
    const button = el("button", { type: "button", text: "Show the new answers" });
    button.addEventListener("click", () => location.reload());
    $("news").append("The run went on. ", button);
    $("news").hidden = false;
  }

  // --- start ----------------------------------------------------------------------------------------------------
  async function start() {
    if (typeof DecompressionStream === "undefined") {
      $("count").textContent = "This browser is too old to unpack the questions: use one from 2023 or later.";
      return;
    }
    const rows = await unpack("index");
    index = rows.map((row, position) => {
      const [id, number, run, column, category, z, a, media, question, truth, zero, aurelia, score, attempts, kinds, claims] = row;
      const kindText = kinds.map((at) => meta.kinds[at]).join(" ");
      const text = [id, question, truth, zero, aurelia, kindText].join("\n").toLowerCase();
      return { position, id, number, run, column, category, z: meta.marks[z], a: meta.marks[a], media, question, text, score, attempts, kinds, kindText, claims, zero, aurelia };
    });
    findDiffering();
    const changed = () => { alone = null; search(); };
    let timer = 0;
    $("search").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(changed, 150); });
    for (const id of FILTERS.slice(1)) $(id).addEventListener("change", changed);
    window.addEventListener("hashchange", readLink);
    $("more").addEventListener("click", () => more(MORE));
    if (!readLink()) search();
    if (index.length === 1) $("list").firstChild.open = true;
    if (meta.live !== null) setInterval(follow, FOLLOW_MS);
    document.documentElement.dataset.ready = "yes";
  }

  requestAnimationFrame(() => setTimeout(start, 0));
})();
