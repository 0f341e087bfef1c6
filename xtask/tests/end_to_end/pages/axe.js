// Rules of WCAG 2.2 A and AA and of good practice that the page breaks, as a list of sentences.
axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'] })
  .then((result) => result.violations.map((rule) => {
    const where = rule.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} [${node.failureSummary.slice(0, 200)}]`);
    return `${rule.id}: ${rule.help}: ${rule.nodes.length} times, such as ${where.join(' and ')}`;
  }))
