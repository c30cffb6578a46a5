"use strict";
// Asks a rater about each item, in an order of the rater's own; every text is set with textContent.
(() => {
  const $ = (id) => document.getElementById(id);
  const page = JSON.parse($("items").textContent);
  let rater = "";
  let order = [];
  let at = 0;
  let ratings = {};
  let scale = 0;

  const key = () => `aurelia-rate/${page.page}/${rater}`;
  const item = () => order[at];

  // A generator of numbers from the rater's name, so that the order is the same after closing the page.
  function shuffled(seed) {
    let state = 2166136261;
    for (const letter of seed) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
    const random = () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
    const found = [...page.items];
    for (let place = found.length - 1; place > 0; place--) {
      const other = Math.floor(random() * (place + 1));
      [found[place], found[other]] = [found[other], found[place]];
    }
    return found;
  }

  const rated = (one) => page.scales.every((name) => ratings[one.id] && ratings[one.id][name] !== undefined);

  function keep() {
    try {
      localStorage.setItem(key(), JSON.stringify(ratings));
    } catch {
      $("progress").textContent = "This browser keeps nothing: save your ratings as a file before you close the page.";
    }
  }

  function begin() {
    rater = $("rater").value.trim();
    if (!rater) return $("rater").focus();
    try {
      ratings = JSON.parse(localStorage.getItem(key()) ?? "{}");
    } catch {
      ratings = {};
    }
    order = shuffled(`${page.page} ${rater}`);
    at = Math.max(0, order.findIndex((one) => !rated(one)));
    $("begin").hidden = true;
    if (order.every(rated)) end();
    else show();
  }

  function text(name, content, css) {
    const node = document.createElement(name);
    node.textContent = content;
    node.dir = "auto";
    if (css) node.className = css;
    return node;
  }

  function show() {
    const one = item();
    $("end").hidden = true;
    $("rating").hidden = false;
    $("question").textContent = one.question;
    $("question").dir = "auto";
    $("choices").replaceChildren(...one.choices.map((choice) => text("li", choice)));
    $("steps").replaceChildren(
      ...one.steps.map((step) => {
        const node = text("li", step.step);
        if (step.answer) node.append(text("p", step.answer, "finding"));
        if (step.justification) node.append(text("p", step.justification, "note"));
        return node;
      }),
    );
    const named = [...(one.video ? [["video", one.video]] : []), ...one.images.map((name) => ["img", name]), ...one.audio.map((name) => ["audio", name])];
    const nodes = named.map(([kind, name]) => {
      const node = document.createElement(kind);
      node.controls = true;
      node.preload = "metadata";
      node.alt = "an image of the question";
      node.setAttribute("aria-label", "the clip");
      node.src = `media/${name.split("/").map(encodeURIComponent).join("/")}`;
      node.addEventListener("error", () => node.replaceWith(text("span", "The clip is not in the folder “media” beside this page.", "fault")));
      return node;
    });
    $("player").replaceChildren(...nodes);
    for (const name of page.scales)
      for (const box of document.getElementsByName(name)) box.checked = Number(box.value) === (ratings[one.id] ?? {})[name];
    focusScale(Math.max(0, page.scales.findIndex((name) => (ratings[one.id] ?? {})[name] === undefined)));
    progress();
  }

  function focusScale(place) {
    scale = place;
    page.scales.forEach((name, number) => $(name).classList.toggle("now", number === place));
  }

  function progress() {
    $("progress").textContent = `${order.filter(rated).length} of ${order.length} rated`;
    $("next").disabled = !rated(item());
  }

  function rate(name, value) {
    ratings[item().id] = { ...(ratings[item().id] ?? {}), [name]: value };
    keep();
    progress();
  }

  function move(by) {
    if (by > 0 && !rated(item())) return;
    if (at + by >= order.length) return order.every(rated) ? end() : ((at = order.findIndex((one) => !rated(one))), show());
    at = Math.max(0, at + by);
    show();
    window.scrollTo(0, 0);
  }

  function end() {
    $("rating").hidden = true;
    $("end").hidden = false;
    $("progress").textContent = `${order.length} of ${order.length} rated`;
  }

  function content() {
    const rows = page.items.filter((one) => ratings[one.id]).map((one) => ({ item: one.id, ...ratings[one.id] }));
    return JSON.stringify({ page: page.page, rater, ratings: rows }, null, 1);
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content()], { type: "application/json" }));
    link.download = `ratings-${rater.replace(/[^A-Za-z0-9_-]+/g, "-")}.json`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  document.addEventListener("keydown", (event) => {
    if ($("rating").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[0-5]$/.test(event.key)) {
      const name = page.scales[scale];
      for (const box of document.getElementsByName(name)) box.checked = box.value === event.key;
      rate(name, Number(event.key));
      focusScale(Math.min(page.scales.length - 1, scale + 1));
    } else if (event.key === "Enter" && event.target.tagName !== "BUTTON") {
      move(1);
    } else if (event.key === "ArrowLeft" && event.target.type !== "radio") {
      move(-1);
    } else return;
    event.preventDefault();
  });
  $("start").addEventListener("click", begin);
  $("rater").addEventListener("keydown", (event) => event.key === "Enter" && begin());
  $("next").addEventListener("click", () => move(1));
  $("back").addEventListener("click", () => move(-1));
  $("again").addEventListener("click", () => ((at = 0), show()));
  for (const id of ["save", "save-end"]) $(id).addEventListener("click", save);
  for (const name of page.scales)
    for (const box of document.getElementsByName(name))
      box.addEventListener("change", () => { rate(name, Number(box.value)); focusScale(page.scales.indexOf(name)); });
  window.ratingsContent = content;
})();
