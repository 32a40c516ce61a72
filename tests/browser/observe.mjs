// Counts what changes in a document, from inside the page.

/** Begins to record every mutation below `body`, except in the line that tells how the socket stands. */
export async function observe_mutations(page) {
  await page.evaluate(() => {
    window.recorded = [];
    const take = (records) => {
      for (const { type, target, attributeName } of records) {
        const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
        if (element?.closest('#connection')) continue;
        window.recorded.push(`${type} ${attributeName ?? ''} ${element?.tagName}#${element?.id}.${element?.className}`);
      }
    };
    const observer = new MutationObserver(take);
    window.take_recorded = () => {
      take(observer.takeRecords());
      return window.recorded.splice(0);
    };
    observer.observe(document.body, {
      subtree: true, childList: true, attributes: true, characterData: true,
    });
  });
}

/** What was recorded since the last call, after everything that was received has been drawn. */
export function recorded_mutations(page) {
  return page.evaluate(() => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(() => done(window.take_recorded())));
  }));
}
