// Tables that are updated in place, so that the focus stays where it is. Every
// text goes through textContent.

export function element(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

export function button(text, act, className = "change") {
  const b = element("button", {type: "button", class: className});
  b.textContent = text;
  b.addEventListener("click", act);
  return b;
}

// setText leaves alone what is as it should be: screen readers and selections
// mind every change.
export function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

// Table shows rows by their key. A column has a title, and fill(cell, row), which
// is given the same cell for the same key each time.
export class Table {
  constructor(place, caption, columns, nothing) {
    this.columns = columns;
    this.rows = new Map();
    this.body = element("tbody", {role: "rowgroup"});
    const titles = element("tr", {role: "row"});
    for (const c of columns) {
      const title = element("th", {scope: "col", role: "columnheader", class: c.number ? "number" : ""});
      title.textContent = c.title;
      titles.append(title);
    }
    this.table = element("table", {role: "table", "aria-label": caption}, element("thead", {role: "rowgroup"}, titles), this.body);
    this.nothing = element("p", {class: "quiet"});
    this.nothing.textContent = nothing;
    place.append(this.table, this.nothing);
  }

  show(list, keyOf) {
    this.table.hidden = list.length === 0;
    this.nothing.hidden = list.length > 0;
    const met = new Set();
    list.forEach((row, i) => {
      const key = keyOf(row);
      met.add(key);
      if (!this.rows.has(key)) this.rows.set(key, this.newRow());
      const r = this.rows.get(key);
      r.row = row;
      this.columns.forEach((c, n) => {
        c.fill(r.cells[n], row, r);
        r.cells[n].classList.toggle("empty", r.cells[n].textContent === "" && !r.cells[n].firstElementChild);
      });
      // Moving a row would take the focus from it.
      const at = this.body.children[i];
      if (at !== r.line && !r.line.contains(document.activeElement)) this.body.insertBefore(r.line, at ?? null);
      else if (!r.line.parentNode) this.body.append(r.line);
    });
    for (const [key, r] of this.rows) {
      if (met.has(key)) continue;
      r.line.remove();
      this.rows.delete(key);
    }
  }

  newRow() {
    const line = element("tr", {role: "row"});
    const cells = this.columns.map((c, n) => {
      const cell = n === 0 ? element("th", {scope: "row", role: "rowheader"}) : element("td", {role: "cell", "data-label": c.title});
      if (c.number) cell.classList.add("number");
      line.append(cell);
      return cell;
    });
    return {line, cells, row: null};
  }
}

const svg = "http://www.w3.org/2000/svg";

// fillBar draws what of a whole is ours and others', and says it in words.
export function fillBar(cell, whole, own, others, words) {
  let bar = cell.firstElementChild;
  if (!bar) {
    bar = document.createElementNS(svg, "svg");
    bar.setAttribute("class", "bar");
    bar.setAttribute("role", "img");
    for (const name of ["own", "others"]) {
      const part = document.createElementNS(svg, "rect");
      part.setAttribute("class", name);
      part.setAttribute("height", "100%");
      bar.append(part);
    }
    cell.append(bar);
  }
  const part = (n) => (whole > 0 ? Math.min(100, (100 * Math.max(0, n)) / whole) : 0);
  const ours = part(own), theirs = Math.min(part(others), 100 - ours);
  bar.children[0].setAttribute("width", `${ours}%`);
  bar.children[1].setAttribute("x", `${ours}%`);
  bar.children[1].setAttribute("width", `${theirs}%`);
  bar.setAttribute("aria-label", words);
}
