// The few DOM operations the page needs. Each compares first and touches a node only where something differs.

/** Makes an element: `element('p', { class: 'note' }, 'text', child, ...)`. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Sets the text of a node that holds text only. Text that grew is appended to, which keeps selections alive. */
export function set_text(node, text) {
  const held = node.firstChild;
  if (held === null) {
    if (text !== '') node.append(text);
  } else if (held.data !== text) {
    if (text.startsWith(held.data)) held.appendData(text.slice(held.length));
    else held.data = text;
  }
}

/** Sets or, with null, removes an attribute. */
export function set_attribute(node, name, value) {
  if (node.getAttribute(name) === value) return;
  if (value === null) node.removeAttribute(name);
  else node.setAttribute(name, value);
}

export function set_hidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

const rows = new WeakMap();

/**
 * Makes the children of `parent` show `items`, one node each, in order. A node stays with its key; `update(node, item)`
 * is called only when the item is not the one shown before (`===`).
 */
export function render_list(parent, items, key_of, create, update) {
  const held = rows.get(parent) ?? new Map();
  const next = new Map();
  items.forEach((item, index) => {
    const key = key_of(item, index);
    next.set(key, held.get(key) ?? { node: create(item), item: undefined });
    held.delete(key);
  });
  for (const { node } of held.values()) node.remove();
  let place = parent.firstElementChild;
  let index = 0;
  for (const row of next.values()) {
    if (row.item !== items[index]) update(row.node, items[index]);
    row.item = items[index];
    index += 1;
    if (row.node === place) place = place.nextElementSibling;
    else parent.insertBefore(row.node, place);
  }
  rows.set(parent, next);
}
