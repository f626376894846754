// What all pictures use.

// An element with attributes and children.
function make(name, attributes = {}, ...children) {
  const language = ["svg", "path", "text"].includes(name) ? "2000/svg" : "1999/xhtml";
  const made = document.createElementNS(`http://www.w3.org/${language}`, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Fills a picture. In JupyterLab, arrow keys would otherwise go to other cells.
function fill(element, kind, ...parts) {
  element.replaceChildren(...parts);
  element.classList.add(kind);
  for (const control of element.querySelectorAll("input, select, button")) {
    control.dataset.lmSuppressShortcuts = "true";
  }
}

const percent = (share) => `${Math.round(100 * share)} %`;
