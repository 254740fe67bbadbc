export default {
  render({ model, el }) {
    const name = uniqueId("depth");
    const text = element("div", { class: "course-overview-text", id: uniqueId("overview") });
    const show = () => {
      text.innerHTML = model.get("depths").find((each) => each.key === model.get("depth")).html;
      for (const radio of el.querySelectorAll("input")) radio.checked = radio.value === model.get("depth");
    };
    const choose = (event) => {
      model.set("depth", event.target.value);
      model.save_changes();
    };
    const radios = model.get("depths").map(({ key, label }) =>
      element("label", {}, element("input", { type: "radio", name, value: key, onchange: choose }), ` ${label}`),
    );
    el.append(element("fieldset", { class: "course-overview" }, element("legend", {}, "How deep?"), ...radios), text);
    model.on("change:depth", show);
    show();
    return () => model.off("change:depth", show);
  },
};
