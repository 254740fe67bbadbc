const COLUMNS = ["exercise", "worth", "answer", "its check, in this kernel"];

/** What was found of each exercise and question. */
function found(rows) {
  const head = element("tr", {}, ...COLUMNS.map((name) => element("th", { scope: "col" }, name)));
  const lines = rows.map(([name, ...rest]) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...rest.map((text) => element("td", {}, text))),
  );
  return element("table", { class: "course-found" }, element("thead", {}, head), element("tbody", {}, ...lines));
}

export default {
  render({ model, el }) {
    const send = (anyway) => () => {
      if (!model.get("view").busy) model.send({ do: "pack", anyway });
    };
    const press = element("button", { type: "button", class: "course-primary", onclick: send(false) }, "Check and pack");
    const anyway = element("button", { type: "button", onclick: send(true) });
    const said = element("p", { role: "status" });
    const table = element("div");
    const notes = element("ul");
    const link = element("a", { class: "course-download", hidden: true });
    let url = null;

    const show = () => {
      const view = model.get("view");
      said.textContent = view.said;
      said.className = view.trouble ? "course-trouble" : "";
      press.setAttribute("aria-disabled", view.busy);
      anyway.hidden = !view.ask;
      anyway.textContent = view.ask;
      table.replaceChildren(...(view.rows.length ? [found(view.rows)] : []));
      notes.replaceChildren(...view.notes.map((text) => element("li", {}, text)));
      notes.hidden = !view.notes.length;
      if (!view.rows.length) link.hidden = true;
    };
    const take = (message) => {
      if (message.do !== "file") return;
      if (url) URL.revokeObjectURL(url);
      const bytes = Uint8Array.from(atob(message.data), (character) => character.charCodeAt(0));
      url = URL.createObjectURL(new Blob([bytes], { type: "application/x-ipynb+json" }));
      link.href = url;
      link.download = message.name;
      link.textContent = `Download ${message.name}`;
      link.hidden = false;
    };
    el.append(element("div", { class: "course-row" }, press, anyway, link), said, table, notes);
    model.on("change:view", show);
    model.on("msg:custom", take);
    show();
    return () => {
      model.off("change:view", show);
      model.off("msg:custom", take);
      if (url) URL.revokeObjectURL(url);
    };
  },
};
