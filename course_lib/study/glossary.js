/** Lower case and without accents, so that "Generalisation" is found by "general". */
const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

export default {
  render({ model, el }) {
    const box = element("input", { type: "search", id: uniqueId("search"), autocomplete: "off", spellcheck: "false" });
    const told = element("p", { role: "status" });
    const entries = model.get("entries").map(({ term, also, html, words }) => {
      const name = element("dt");
      name.innerHTML = term;
      const itself = plain(name.textContent);
      const others = element("span", { class: "course-quiet" }, ` (also: ${also})`);
      name.append(others);
      const meaning = element("dd");
      meaning.innerHTML = html;
      return { group: element("div", {}, name, meaning), others, itself, also: plain(also), words: plain(words) };
    });
    const list = element("dl");
    const shelf = element("div", { class: "course-glossary", role: "region", "aria-label": "Terms", tabindex: "0" }, list);

    const show = () => {
      const sought = plain(model.get("search")).trim();
      if (plain(box.value).trim() !== sought) box.value = model.get("search");
      const found = entries.filter(({ words }) => words.includes(sought));
      const named = ({ itself, also }) => itself.includes(sought) || also.includes(sought);
      found.sort((one, other) => named(other) - named(one)); // terms before definitions
      // Another name is shown where it is the reason why the term was found.
      for (const { others, itself, also } of found) others.hidden = itself.includes(sought) || !also.includes(sought);
      list.replaceChildren(...found.map(({ group }) => group));
      told.textContent =
        found.length > 0
          ? `${found.length} of ${entries.length} terms`
          : `No term or definition has \u201c${model.get("search").trim()}\u201d. Try a part of the word.`;
    };
    box.addEventListener("input", () => {
      model.set("search", box.value);
      model.save_changes();
      show();
    });
    el.append(element("p", {}, element("label", { for: box.id }, "Search the terms "), box), told, shelf);
    model.on("change:search", show);
    show();
    return () => model.off("change:search", show);
  },
};
