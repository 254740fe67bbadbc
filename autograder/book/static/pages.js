// Puts widgets into a page of the book: a model with what traits have (get, set, on, off, send), a kernel, a module.

courseBook.Model = class {
  #state;
  #listeners = new Map();
  #kernel = null;

  constructor(state) {
    this.#state = { ...state };
  }

  start(kernel) {
    this.#kernel = kernel;
  }

  get(name) {
    return this.#state[name];
  }

  set(name, value) {
    this.#state[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes() {}

  on(events, listener) {
    for (const event of events.split(" ")) this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  off(events, listener) {
    for (const event of events.split(" ")) this.#listeners.set(event, (this.#listeners.get(event) ?? []).filter((each) => each !== listener));
  }

  emit(event, ...what) {
    for (const listener of this.#listeners.get(event) ?? []) listener(...what);
  }

  /** The answer comes later, as a kernel's would. */
  send(message) {
    setTimeout(() => this.#kernel?.(message));
  }
};

(() => {
  const root = new URL("./", document.currentScript.src).href; // _static/, from wherever the page is

  const load = (file) =>
    new Promise((resolve, reject) => {
      const script = document.createElement("script");
      Object.assign(script, { src: root + file, onload: resolve, onerror: reject });
      document.head.append(script);
    });

  /** The widget in the place of what stood there; that stays where something fails. */
  const enliven = async (place) => {
    const { kind, script } = place.dataset;
    if (script) await load(script);
    const { state, more } = JSON.parse(place.querySelector("script").textContent);
    const model = new courseBook.Model(state);
    model.start(courseBook.kernels[kind](model, more, { root }));
    const el = document.createElement("div");
    el.className = "course";
    place.querySelector(".course-resting").replaceWith(el);
    courseBook.widgets[kind].render({ model, el });
    place.dataset.alive = "";
    const left = courseBook.moments[more.moments]?.left ?? [];
    if (script) {
      const note = document.createElement("p");
      note.className = "course-left";
      note.textContent = left.length
        ? `Worked out beforehand for this page. In the notebook you also move: ${left.join(", ")}; and your own functions run.`
        : "Worked out beforehand for this page. In the notebook your own functions run here.";
      place.append(note);
    }
  };

  const begin = () => {
    const watch = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          watch.unobserve(target);
          enliven(target).catch((error) => console.error(`A ${target.dataset.kind} stays as it is:`, error));
        }
      },
      { rootMargin: "600px" },
    );
    for (const place of document.querySelectorAll(".course-live")) watch.observe(place);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
