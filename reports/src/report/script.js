// Adds comfort and no content: sorting, filtering, tooltips and the choice of the theme. Without it everything is there.
(() => {
  'use strict';
  const root = document.documentElement;
  const tools = document.querySelector('.tools');
  const said = tools.dataset;
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // Theme: as the system has it, until the reader chooses. A file may not be allowed to remember.
  const memory = {
    get() { try { return localStorage.getItem('theme'); } catch { return null; } },
    set(theme) { try { localStorage.setItem('theme', theme); } catch { /* forgotten on the next page */ } },
  };
  const isDark = () => (root.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
  const button = make('button', { type: 'button', className: 'theme' });
  const show = () => { button.textContent = isDark() ? said.light : said.dark; };
  const chosen = memory.get();
  if (chosen === 'dark' || chosen === 'light') root.dataset.theme = chosen;
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    memory.set(root.dataset.theme);
    show();
  });
  show();
  tools.append(button);

  // Numbers as the report writes them: thin spaces between thousands, the decimal mark of the language.
  const number = (text) => {
    const plain = text.replace(/[\u2009\u00a0]/g, '');
    const match = plain.match(said.decimalMark === ',' ? /-?\d+(,\d+)?/ : /-?\d+(\.\d+)?/);
    return match ? Number(match[0].replace(',', '.')) : undefined;
  };
  const text = (row, column) => row.cells[column]?.textContent.trim() ?? '';

  const sortable = (table) => {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const isNumber = head.classList.contains('n');
      const button = make('button', { type: 'button', className: 'sort' }, ...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const first = isNumber ? 'descending' : 'ascending';
        const other = isNumber ? 'ascending' : 'descending';
        const order = head.getAttribute('aria-sort') === first ? other : first;
        [...table.tHead.rows[0].cells].forEach((cell) => cell.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', order);
        const sign = order === 'ascending' ? 1 : -1;
        const words = new Intl.Collator(root.lang, { numeric: true });
        const rows = [...body.rows].map((row) => [row, isNumber ? number(text(row, column)) : text(row, column)]);
        rows.sort(([, a], [, b]) => {
          if (!isNumber) return sign * words.compare(a, b);
          // What has no number stays at the end in both orders.
          if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
          return sign * (a - b);
        });
        body.append(...rows.map(([row]) => row));
      });
    });
  };

  const filterable = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const column = (key) => heads.findIndex((head) => head.dataset.key === key);
    const rows = [...table.tBodies[0].rows];
    const tests = [];
    const count = make('output', { className: 'note' });
    const update = () => {
      let n = 0;
      rows.forEach((row) => {
        row.hidden = !tests.every((test) => test(row));
        n += row.hidden ? 0 : 1;
      });
      count.textContent = said.rows.replace('{n}', n).replace('{n_all}', rows.length);
    };
    const bar = make('form', { className: 'filter' });
    bar.addEventListener('submit', (event) => event.preventDefault());
    const keys = table.dataset.filter.split(' ');
    ['place', 'model'].filter((key) => keys.includes(key)).forEach((key) => {
      const at = column(key);
      const names = [...new Set(rows.map((row) => text(row, at)))];
      const all = key === 'place' ? said.allPlaces : said.allModels;
      const select = make('select', {}, make('option', { value: '', textContent: all }),
        ...names.map((name) => make('option', { value: name, textContent: name })));
      bar.append(make('label', {}, `${heads[at].textContent} `, select));
      tests.push((row) => !select.value || text(row, at) === select.value);
      select.addEventListener('change', update);
    });
    if (keys.includes('fit')) {
      const box = make('input', { type: 'checkbox' });
      bar.append(make('label', {}, box, ` ${said.onlyFitting}`));
      tests.push((row) => !box.checked || !row.classList.contains('no'));
      box.addEventListener('change', update);
    }
    const rate = column('rate');
    if (rate >= 0) {
      const least = make('input', { type: 'number', min: '0', step: 'any' });
      bar.append(make('label', {}, `${said.leastRate} `, least));
      tests.push((row) => !(Number(least.value) > 0) || number(text(row, rate)) >= Number(least.value));
      least.addEventListener('input', update);
    }
    bar.append(count);
    table.parentElement.before(bar);
    update();
  };

  document.querySelectorAll('table.data').forEach((table) => {
    if (table.dataset.filter) filterable(table);
    sortable(table);
  });

  // Tooltips: the words that a mark of a chart carries as its title, at once and also for fingers.
  const tip = make('div', { className: 'tip', role: 'status', hidden: true });
  document.body.append(tip);
  const words = (event) => {
    const mark = event.target.closest?.('.chart [data-tip]');
    return mark?.dataset.tip;
  };
  document.addEventListener('pointerover', (event) => {
    const found = words(event);
    tip.hidden = !found;
    if (!found) return;
    tip.textContent = found;
    const room = root.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, room))}px`;
    tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
  });
  document.addEventListener('scroll', () => { tip.hidden = true; }, { passive: true });
})();
