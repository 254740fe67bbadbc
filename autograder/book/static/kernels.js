// What stands in Python's place in a static page: for each kind of widget a function that is given the model and what
// autograder/book/widgets.py worked out beforehand, and gives what answers the widget's messages.

courseBook.kernels.Overview = () => () => {};
courseBook.kernels.Glossary = () => () => {};

/** Where the recording of a line is; the player asks for it once it wants to play it. */
courseBook.kernels.Listen = (model, { recordings, folder }, { root }) => ({ want }) => {
  const file = recordings[want];
  model.emit("msg:custom", { recording: want, url: file ? `${root}${folder}/${file}` : null }, []);
};

/** Places 0 to count - 1 in an order drawn at random. */
courseBook.shuffled = (count) => {
  const places = Array.from({ length: count }, (_, place) => place);
  for (let last = count - 1; last > 0; last -= 1) {
    const other = Math.floor(Math.random() * (last + 1));
    [places[last], places[other]] = [places[other], places[last]];
  }
  return places;
};

/** Cards that stay until they are known, for this visit; nothing is kept. */
courseBook.kernels.Cards = (model, { cards }, { shuffled = courseBook.shuffled } = {}) => {
  let queue = [];
  let missed = new Set();
  let asked = 0;
  const said = () => {
    if (queue.length) return `${queue.length} ${queue.length === 1 ? "card" : "cards"} to go.`;
    const knew = cards.length - missed.size;
    return `All ${cards.length} cards done; ${knew} of them you knew at once. In the notebook each comes back when it is due.`;
  };
  const show = () => {
    asked += 1;
    model.set("view", { card: queue[0] ?? null, left: queue.length, asked, said: said(), trouble: "" });
  };
  const begin = () => {
    queue = [...cards];
    missed = new Set();
    show();
  };
  begin();
  return (message) => {
    if (message.do === "grade" && queue[0]?.id === message.id) {
      const card = queue.shift();
      if (!message.known) {
        missed.add(card.id);
        queue.push(card);
      }
      show();
    } else if (message.do === "shuffle") {
      queue = shuffled(queue.length).map((place) => queue[place]);
      show();
    } else if ((message.do === "practise" || message.do === "look") && queue.length === 0) begin();
  };
};

/** A number as a learner writes it ("0.5", "-3", "1e-3", "2/3"); NaN for anything else. As course_lib.study.judging. */
courseBook.number = (text) => {
  const plain = text.replace(/\s/g, "").replace("\u2212", "-");
  const parts = /^([+-]?\d+)\/(\d+)$/.exec(plain);
  if (parts) return Number(parts[2]) === 0 ? NaN : Number(parts[1]) / Number(parts[2]);
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) ? Number(plain) : NaN;
  return Number.isFinite(value) ? value : NaN;
};

/** Judges an answer in the question's own places, by looking up the verdict; `right` is null for what is no answer. */
courseBook.judge = (question, answer) => {
  const nothing = { right: null, html: question.nothing, wrong: [] };
  const isPlace = (value) => Number.isInteger(value) && value >= 0 && value < question.items.length;
  switch (question.kind) {
    case "single":
      if (!isPlace(answer)) return nothing;
      return { right: question.right[answer], html: question.verdicts[answer], wrong: question.right[answer] ? [] : [answer] };
    case "multiple": {
      const chosen = new Set((Array.isArray(answer) ? answer : []).filter(isPlace));
      if (chosen.size === 0) return nothing;
      const wrong = [...chosen].filter((place) => !question.right[place]).sort((one, other) => one - other);
      const missing = question.right.some((right, place) => right && !chosen.has(place));
      if (!wrong.length) return { right: !missing, html: missing ? question.missing : question.all_right, wrong };
      const html = wrong.map((place) => question.wrong[place]).join("") + (missing ? question.missing_too : "");
      return { right: false, html, wrong };
    }
    case "numeric": {
      const typed = typeof answer === "string" ? answer : "";
      const plain = typed.replace(/\s/g, "");
      if (!plain) return nothing;
      if (plain.includes(",")) return { right: null, html: question.comma, wrong: [] };
      const value = courseBook.number(typed);
      if (Number.isNaN(value)) return { right: null, html: question.unreadable.replace("UNREADABLE", courseBook.quoted(typed)), wrong: [] };
      const within = (target) => Math.abs(value - target) <= question.tolerance + 1e-9 * Math.max(question.tolerance, Math.abs(target));
      if (within(question.answer)) return { right: true, html: question.right, wrong: [] };
      const near = question.near.filter((each) => within(each.value));
      near.sort((one, other) => Math.abs(value - one.value) - Math.abs(value - other.value));
      return { right: false, html: near[0]?.html ?? (value > question.answer ? question.large : question.small), wrong: [] };
    }
    case "order": {
      const whole = Array.isArray(answer) && [...answer].sort((one, other) => one - other).every((step, place) => step === place);
      if (!whole || answer.length !== question.items.length) return nothing;
      const stand = answer.findIndex((step, place) => step !== place);
      return stand < 0 ? { right: true, html: question.right, wrong: [] } : { right: false, html: question.stands[stand], wrong: [] };
    }
  }
};

/** What somebody typed, fit to stand in a piece of code on the page. */
courseBook.quoted = (text) =>
  text
    .trim()
    .replace(/[`$\\\s]+/g, " ")
    .slice(0, 40)
    .trim()
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;");

/** A round of a quiz, as course_lib.study.quiz plays it; nothing is kept. */
courseBook.kernels.Quiz = (model, { questions }, { shuffled = courseBook.shuffled } = {}) => {
  let round = 0;
  let at = 0;
  let asked = [];
  const shuffle = ({ kind, items }) => {
    for (;;) {
      const places = shuffled(items.length);
      if (kind !== "order" || places.some((place, shown) => place !== shown)) return places;
    }
  };
  const begin = () => {
    round += 1;
    at = 0;
    asked = questions.map((question) => ({
      question, shuffle: shuffle(question), answer: null, tries: 0, verdict: null, done: false, first: false, wrong: new Set(),
    }));
  };
  const said = () => {
    const done = asked.filter((each) => each.done).length;
    const score = asked.filter((each) => each.first).length;
    const total = asked.length;
    if (done === total) return `Done: ${score} of ${total} right at the first try.`;
    return `Question ${at + 1} of ${total}.` + (done ? ` ${score} of ${done} right at the first try.` : "");
  };
  const marks = ({ question, shuffle: places, done, wrong }) => {
    if (!["single", "multiple"].includes(question.kind)) return [];
    return places.map((place) => (done ? question.right[place] : wrong.has(place) ? false : null));
  };
  const show = () => {
    const each = asked[at];
    const { id, html, kind, items, unit } = each.question;
    const question = { id, html, kind, items: each.shuffle.map((place) => items[place]) };
    if (kind === "numeric") question.unit = unit;
    const { verdict, done } = each;
    model.set("view", {
      key: `${round}-${at}`,
      index: at,
      total: asked.length,
      question,
      answer: each.answer,
      tries: each.tries,
      done,
      verdict: verdict && {
        right: verdict.right,
        given_up: done && !verdict.right,
        html: verdict.html,
        rest: done ? each.question.wrong_ones : "",
      },
      marks: marks(each),
      said: said(),
      finished: asked.every((other) => other.done),
      trouble: "",
    });
  };
  const own = ({ question, shuffle: places }, answer) => {
    if (question.kind === "numeric") return answer;
    const place = (value) => places[value] ?? null;
    return Array.isArray(answer) ? answer.map(place) : place(answer);
  };
  begin();
  show();
  return (message) => {
    const each = asked[at];
    const mine = message.id === each.question.id;
    if (message.do === "answer" && mine && !each.done) {
      const verdict = courseBook.judge(each.question, own(each, message.answer));
      each.verdict = verdict;
      if (verdict.right !== null || typeof message.answer === "string") each.answer = message.answer;
      if (verdict.right !== null) each.tries += 1;
      for (const place of verdict.wrong) each.wrong.add(place);
      if (verdict.right) {
        each.done = true;
        each.first = each.tries === 1;
      }
    } else if (message.do === "show" && mine && each.tries && !each.done) {
      each.verdict = { right: false, html: each.question.solution };
      each.done = true;
    } else if (message.do === "go" && Number.isInteger(message.index)) at = Math.min(Math.max(message.index, 0), asked.length - 1);
    else if (message.do === "again") begin();
    else return;
    show();
  };
};

/** Walks among the moments that autograder/book/moments.py has worked out. */
courseBook.kernels.Exploration = (model, { moments: name }) => {
  const { title, asked, prediction, states, buffers } = courseBook.moments[name];
  const arrays = new Map();
  const array = (place) => {
    if (!arrays.has(place)) arrays.set(place, new DataView(Uint8Array.from(atob(buffers[place]), (letter) => letter.charCodeAt(0)).buffer));
    return arrays.get(place);
  };
  const whole = (value) => {
    if (Array.isArray(value)) return value.map(whole);
    if (value === null || typeof value !== "object") return value;
    if ("$" in value) return array(value.$);
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, whole(each)]));
  };
  const first = (value) => (Array.isArray(value) ? value[0] : value); // of a point its x
  const nearest = (ways, value) => {
    if (typeof first(value) !== "number") return ways.find(([each]) => each === value);
    const far = ([each]) => Math.abs(first(each) - first(value));
    return ways.reduce((best, way) => (far(way) < far(best) ? way : best));
  };
  let at = 0;
  const show = () => {
    const { rows, picture, told } = states[at];
    for (const [key, value] of Object.entries({ rows, picture: whole(picture), told })) model.set(key, value);
  };
  const ask = (more) => model.set("asked", { ...model.get("asked"), problem: "", ...more });
  const read = (given) => {
    const said = String(given).trim();
    if (asked.choices.length) return asked.choices.includes(said) ? said : null;
    const value = said === "" ? NaN : Number(said.replace("\u2212", "-").replace(",", "."));
    if (!(Number.isFinite(value) && value >= (prediction.low ?? -Infinity) && value <= (prediction.high ?? Infinity))) return null;
    return String(Number(value.toPrecision(6))).replace("-", "\u2212") + asked.unit;
  };
  const predict = (given) => {
    const answer = read(given);
    if (answer !== null) ask({ answer, state: "committed" });
    else ask({ problem: String(given).trim() ? prediction.wrong.replace(prediction.typed, String(given).trim()) : prediction.nothing });
  };
  model.set("title", title);
  model.set("asked", asked);
  show();
  return (message) => {
    if ("predict" in message) predict(message.predict);
    else if ("skip" in message) ask({ state: "skipped" });
    else {
      for (const { label, value } of message.moves ?? []) {
        const way = states[at].to[label] && nearest(states[at].to[label], value);
        if (way) at = way[1];
      }
      if (model.get("asked").state === "committed" && !model.get("asked").outcome) ask({ outcome: states[at].outcome });
      show();
    }
    model.emit("msg:custom", { answered: message.number }, []);
  };
};
