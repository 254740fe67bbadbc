// Stands before the module of every widget (course_lib/live.py).

const FOCUSABLE = new Set(["A", "BUTTON", "INPUT", "SELECT", "SUMMARY", "TEXTAREA"]);

/**
 * A piece of the page. Attributes that are functions are listeners ("onclick"); null and false are left out.
 * What can be focused is marked, so that JupyterLab leaves it its keys.
 */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  if (FOCUSABLE.has(made.tagName) || "tabindex" in attributes) made.dataset.lmSuppressShortcuts = "true";
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

let numbered = 0;

/** An id that nothing else on the page has, for labels and descriptions. */
function uniqueId(name) {
  numbered += 1;
  return `course-${name}-${numbered}-${Math.random().toString(36).slice(2, 8)}`;
}
