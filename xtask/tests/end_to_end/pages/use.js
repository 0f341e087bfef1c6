// Uses the controls of the first page as a reader would; a list of what did not happen.
(() => {
  const wrong = [];
  const expect = (holds, what) => { if (!holds) wrong.push(what); };
  const table = document.querySelector('#choose table.data');
  const rows = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
  const n_all = rows().length;
  const form = table.parentElement.previousElementSibling;
  const set = (element, value) => {
    if (element.type === 'checkbox') element.checked = value; else element.value = value;
    element.dispatchEvent(new Event('input', { bubbles: true }));
    element.dispatchEvent(new Event('change', { bubbles: true }));
  };
  const [place, model] = form.querySelectorAll('select');
  set(place, 'rock-desk');
  expect(rows().length > 0 && rows().every((row) => row.cells[0].textContent.trim() === 'rock-desk'), 'filter by place');
  set(place, '');
  set(model, 'Qwen2.5-7B');
  expect(rows().length > 0 && rows().every((row) => row.cells[2].textContent.trim() === 'Qwen2.5-7B'), 'filter by model');
  const n_model = rows().length;
  set(form.querySelector('[type=checkbox]'), true);
  expect(rows().length < n_model && rows().every((row) => !row.classList.contains('no')), 'filter by fit');
  set(form.querySelector('[type=checkbox]'), false);
  set(form.querySelector('[type=number]'), '3');
  expect(rows().length > 0 && rows().every((row) => parseFloat(row.cells[6].textContent) >= 3), 'filter by rate');
  set(form.querySelector('[type=number]'), '');
  set(model, '');
  expect(rows().length === n_all, 'all rows are back');
  const head = table.tHead.rows[0].cells[5];
  head.querySelector('button').click();
  const bounds = () => rows().map((row) => parseFloat(row.cells[5].textContent.replace(/\u2009/g, ''))).filter(Number.isFinite);
  const isFalling = bounds().every((value, i, all) => i === 0 || all[i - 1] >= value);
  expect(head.getAttribute('aria-sort') === 'descending' && isFalling, 'sort by bound, falling');
  head.querySelector('button').click();
  const isRising = bounds().every((value, i, all) => i === 0 || all[i - 1] <= value);
  expect(head.getAttribute('aria-sort') === 'ascending' && isRising, 'sort by bound, rising');
  const background = () => getComputedStyle(document.body).backgroundColor;
  const before = background();
  document.querySelector('button.theme').click();
  expect(background() !== before, 'the other theme');
  document.querySelector('button.theme').click();
  expect(background() === before, 'the first theme again');
  return wrong;
})()
