const MARKS = { true: "\u2713 right", false: "\u2717 not this" };

/** The parts of the page where a question is answered; `answer()` reads them. */
function choices({ kind, items }, { name, labelledby, chosen }) {
  const picked = new Set([chosen].flat());
  const type = kind === "single" ? "radio" : "checkbox";
  const inputs = items.map((_, index) => element("input", { type, name, value: index, checked: picked.has(index) }));
  const marks = items.map(() => element("span", { class: "course-mark" }));
  const rows = items.map((html, index) => {
    const text = element("span");
    text.innerHTML = html;
    return element("li", {}, element("label", {}, inputs[index], text, marks[index]));
  });
  const role = kind === "single" ? "radiogroup" : "group";
  const ticked = () => inputs.filter((input) => input.checked).map((input) => Number(input.value));
  return {
    page: element("div", { role, "aria-labelledby": labelledby }, element("ul", { class: "course-choices" }, ...rows)),
    answer: () => (kind === "single" ? (ticked()[0] ?? null) : ticked()),
    mark: (found) => found.forEach((right, index) => {
      marks[index].textContent = right == null ? "" : MARKS[right];
    }),
  };
}

function number({ unit }, { labelledby, chosen }) {
  const input = element("input", {
    type: "text", inputmode: "decimal", autocomplete: "off", size: 12, "aria-labelledby": labelledby,
    value: chosen ?? "",
    onkeydown: (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // JupyterLab keeps some fields from sending their form
      input.form.requestSubmit();
    },
  });
  return {
    page: element("p", {}, input, unit ? ` ${unit}` : ""),
    answer: () => input.value,
    mark: () => {},
  };
}

function steps({ items }, { labelledby, chosen }) {
  const order = chosen ? [...chosen] : items.map((_, index) => index);
  const list = element("ol", { class: "course-steps", "aria-labelledby": labelledby });
  const told = element("span", { class: "course-hidden", role: "status" });
  const rows = items.map((html, step) => {
    const text = element("span", { id: uniqueId("step") });
    text.innerHTML = html;
    const button = (way, label, sign) =>
      element("button", { type: "button", "aria-label": label, "aria-describedby": text.id, onclick: (event) => move(step, way, event.target) }, sign);
    const place = element("span");
    const up = button(-1, "Move up", "\u2191");
    const down = button(1, "Move down", "\u2193");
    return { row: element("li", {}, place, text, up, down), place, text, up, down };
  });
  const show = () => {
    order.forEach((step, at) => {
      rows[step].place.textContent = `${at + 1}.`;
      rows[step].up.setAttribute("aria-disabled", at === 0);
      rows[step].down.setAttribute("aria-disabled", at === order.length - 1);
    });
    list.append(...order.map((step) => rows[step].row));
  };
  const move = (step, way, button) => {
    const at = order.indexOf(step);
    const to = at + way;
    if (to < 0 || to >= order.length) return;
    [order[at], order[to]] = [order[to], order[at]];
    show();
    button.focus(); // moving a row takes the focus from its buttons
    told.textContent = `Now step ${to + 1} of ${order.length}.`;
  };
  show();
  return { page: element("div", {}, list, told), answer: () => [...order], mark: () => {} };
}

export default {
  render({ model, el }) {
    const question = element("div", { id: uniqueId("question") });
    const place = element("div");
    const verdict = element("div", { role: "status" });
    const said = element("p");
    const trouble = element("p", { class: "course-wrong course-verdict" });
    const id = () => model.get("view").question.id;
    const go = (by) => () => model.send({ do: "go", index: model.get("view").index + by });
    const button = (label, onclick, attributes = {}) => element("button", { type: "button", onclick, ...attributes }, label);
    const check = element("button", { type: "submit", class: "course-primary" }, "Check");
    const reveal = button("Show the answer", () => model.send({ do: "show", id: id() }));
    const previous = button("Previous question", go(-1));
    const next = button("Next question", go(1));
    const again = button("Begin anew", () => model.send({ do: "again" }));
    const form = element(
      "form",
      {
        class: "course-question",
        onsubmit: (event) => {
          event.preventDefault();
          if (!model.get("view").done) model.send({ do: "answer", id: id(), answer: parts.answer() });
        },
      },
      question, place, verdict, element("div", { class: "course-row" }, check, reveal, previous, next, again),
    );
    let parts = null;
    let shownKey = null;

    const show = () => {
      const view = model.get("view");
      const focused = el.contains(document.activeElement) ? document.activeElement : null;
      if (view.key !== shownKey) {
        shownKey = view.key;
        question.innerHTML = view.question.html;
        const make = { single: choices, multiple: choices, numeric: number, order: steps }[view.question.kind];
        parts = make(view.question, { name: uniqueId("choice"), labelledby: question.id, chosen: view.answer });
        place.replaceChildren(parts.page);
      }
      parts.mark(view.marks);
      showVerdict(view.verdict);
      check.hidden = view.done;
      reveal.hidden = view.done || view.tries === 0;
      previous.hidden = view.index === 0;
      next.hidden = view.index === view.total - 1;
      again.hidden = !view.finished;
      said.textContent = view.said;
      trouble.textContent = view.trouble;
      trouble.hidden = !view.trouble;
      // The pressed button is gone: go on with what comes next.
      if (focused && (focused.hidden || !el.contains(focused))) (next.hidden ? (again.hidden ? check : again) : next).focus();
    };
    const showVerdict = (found) => {
      verdict.className = found == null ? "" : `course-verdict ${found.right ? "course-right" : "course-wrong"}`;
      verdict.replaceChildren();
      if (found == null) return;
      const words = element("div");
      words.innerHTML = found.html;
      const title = found.right ? "\u2713 Right." : found.given_up ? "The answer:" : found.right == null ? "" : "\u2717 Not yet.";
      verdict.append(element("b", {}, title), words);
      if (found.rest) {
        const rest = element("div");
        rest.innerHTML = found.rest;
        verdict.append(element("details", {}, element("summary", {}, "What is wrong with the others"), rest));
      }
    };
    el.append(said, form, trouble);
    model.on("change:view", show);
    show();
    return () => model.off("change:view", show);
  },
};
