export default {
  render({ model, el }) {
    const side = element("div", { class: "course-card-side" });
    const text = element("div");
    // What a card says is read out when it changes; the button that turns it keeps the focus.
    const card = element("div", { class: "course-card", role: "group", "aria-label": "Flash card" },
      element("div", { "aria-live": "polite" }, side, text));
    const flip = element("button", { type: "button", class: "course-primary", onclick: () => turn(!answered) });
    const grade = (known) => () => model.send({ do: "grade", id: model.get("view").card.id, known });
    const notYet = element("button", { type: "button", onclick: grade(false) }, "Not yet");
    const knew = element("button", { type: "button", onclick: grade(true) }, "I knew it");
    const shuffle = element("button", { type: "button", onclick: () => model.send({ do: "shuffle" }) }, "Shuffle");
    const look = element("button", { type: "button", onclick: () => model.send({ do: "look" }) }, "What is due now?");
    const practise = element(
      "button",
      { type: "button", onclick: () => model.send({ do: "practise" }) },
      "Go through all cards anyway",
    );
    const said = element("p", { role: "status" });
    const trouble = element("p", { class: "course-wrong course-verdict" });
    let answered = false;

    const turn = (over) => {
      answered = over;
      const shown = model.get("view").card;
      side.textContent = over ? "Answer" : "Question";
      text.innerHTML = over ? shown.back : shown.front;
      flip.textContent = over ? "Show the question" : "Show the answer";
      notYet.hidden = knew.hidden = !over;
    };
    const show = () => {
      const view = model.get("view");
      const focused = el.contains(document.activeElement) ? document.activeElement : null;
      const some = view.card != null;
      card.hidden = flip.hidden = shuffle.hidden = !some;
      look.hidden = practise.hidden = some;
      if (view.left < 2) shuffle.hidden = true;
      if (some) turn(false);
      else notYet.hidden = knew.hidden = true;
      said.textContent = view.said;
      trouble.textContent = view.trouble;
      trouble.hidden = !view.trouble;
      if (focused?.hidden) (some ? flip : practise).focus(); // the pressed button is gone: stay in the widget
    };
    el.append(card, element("div", { class: "course-row" }, flip, notYet, knew, shuffle, look, practise), said, trouble);
    model.on("change:view", show);
    show();
    return () => model.off("change:view", show);
  },
};
