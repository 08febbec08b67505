// Elements, made of text and never of markup: what a client calls itself stays a name.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/// An HTML element; a string among its children is text.
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/// An SVG element.
export function shape(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/// Sets attributes; `false` and `undefined` take one away.
export function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined) node.removeAttribute(name);
    else node.setAttribute(name, value === true ? "" : value);
  }
  return node;
}

/// Says something, unless it is said already: what does not change is not drawn again.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function button(label, act, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

/// Text that hides nothing: what would turn it around or move in it is spelled out.
export function plain(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0).toString(16)}}`);
}

export const wantsNoMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function filled(node, attributes, children) {
  set(node, attributes);
  node.append(...children);
  return node;
}
