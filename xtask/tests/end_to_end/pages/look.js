// What is wrong with the drawing of a page, as a list of sentences.
(() => {
  const wrong = [];
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) {
    const wide = [...document.querySelectorAll('main *')].filter((element) => {
      const box = element.getBoundingClientRect();
      return box.right > page.clientWidth + 1 && !element.closest('.scroll, pre');
    });
    const names = wide.slice(0, 3).map((element) => `<${element.tagName} class="${element.className}">`);
    wrong.push(`scrolls sideways to ${page.scrollWidth} px: ${names.join(', ')}`);
  }
  const isShown = (element) => element.getClientRects().length > 0;
  const pictures = [...document.querySelectorAll('svg[role=img]')].filter(isShown);
  // A small line in a row of a table stands for what its label says.
  const charts = pictures.filter((picture) => !picture.classList.contains('spark'));
  for (const picture of pictures) {
    if (!charts.includes(picture) && !picture.getAttribute('aria-label')) wrong.push('a small line says nothing');
  }
  for (const chart of charts) {
    const name = chart.querySelector('title')?.textContent ?? 'a chart without a title';
    if (!chart.querySelector('title')?.textContent) wrong.push(`${name}: no title`);
    if (!chart.querySelector('desc')?.textContent) wrong.push(`${name}: no description`);
    const frame = chart.getBoundingClientRect();
    if (frame.width < 100 || frame.height < 20) wrong.push(`${name}: ${frame.width} x ${frame.height} px`);
    const labels = [...chart.querySelectorAll('text')].filter((text) => text.textContent.trim() !== '')
      .map((text) => ({ words: text.textContent, box: text.getBoundingClientRect() }));
    for (const [i, { words, box }] of labels.entries()) {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) {
        wrong.push(`${name}: "${words}" leaves the picture`);
      }
      // Letters fill less than their line: boxes may touch by a pixel or two in height, and not in width.
      for (const other of labels.slice(i + 1)) {
        const meets = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left) > 0.5
          && Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top) > 3;
        if (meets) wrong.push(`${name}: "${words}" and "${other.words}" overlap`);
      }
    }
    const figure = chart.closest('figure');
    const section = chart.closest('section');
    if (!figure) wrong.push(`${name}: stands in no figure`);
    if (!section?.querySelector('table')) wrong.push(`${name}: its section has no table of its data`);
  }
  for (const section of document.querySelectorAll('main section')) {
    const text = section.innerText.replace(section.querySelector('h2')?.innerText ?? '', '').trim();
    if (text.length < 20) wrong.push(`section "${section.id}" is empty`);
  }
  return { wrong, n_charts: charts.length };
})()
