/* What a benchmark asks of the page it measures: `bench` in every page that it opens. */
(() => {
  const longTasks = [];
  const shifts = [];
  const events = [];
  const watch = (type, into, more) =>
    new PerformanceObserver((list) => into.push(...list.getEntries())).observe({
      type,
      buffered: true,
      ...more,
    });
  watch("longtask", longTasks);
  watch("layout-shift", shifts);
  watch("event", events, { durationThreshold: 16 });

  /** When the frame that is being made has been handed to the screen. */
  const painted = () =>
    new Promise((done) => {
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => done(performance.now());
        port2.postMessage(null);
      });
    });

  const until = async (look, limit = 20_000) => {
    const ends = performance.now() + limit;
    for (;;) {
      const found = look();
      if (found) return found;
      if (performance.now() > ends) throw new Error(`never came: ${look}`);
      await new Promise((done) => setTimeout(done));
    }
  };

  /** Cumulative layout shift: the worst sum of shifts less than a second apart, within five. What
   * comes with a key counts too, since no key here moves anything. */
  const shift = () => {
    let worst = 0;
    let sum = 0;
    let [first, last] = [-Infinity, -Infinity];
    for (const { startTime: at, value } of shifts) {
      if (at - last > 1000 || at - first > 5000) [first, sum] = [at, 0];
      last = at;
      sum += value;
      worst = Math.max(worst, sum);
    }
    return worst;
  };

  const rows = () => [...document.querySelectorAll("[data-row]")];
  const list = () => document.querySelector("#conversations .scroll");
  const ROW = 64;

  let firstRow = null;
  const early = new MutationObserver(() => {
    if (firstRow !== null || !document.querySelector("[data-row]")) return;
    early.disconnect();
    firstRow = painted();
  });
  early.observe(document, { childList: true, subtree: true });

  window.bench = {
    rows: () => rows().map((row) => row.dataset.row),
    loaded: () => Math.floor(list().scrollHeight / ROW),
    firstRow: () => until(() => firstRow).then((at) => at),
    painted,

    /** Milliseconds from the press on a row, of a conversation that is not the open one, until its
     * entries are on the screen. */
    async open(row) {
      const link = await until(() => document.querySelector(`[data-row="${row}"]`));
      const before = document.querySelector("[role=log]");
      const begun = performance.now();
      link.click();
      await until(() => {
        const log = document.querySelector("[role=log]");
        return log !== before && log?.querySelector("[data-key]");
      });
      return (await painted()) - begun;
    },

    /** Open the conversation at a place of the list, wherever that has been scrolled to. */
    async openAt(at) {
      const row = await until(() => {
        const found = document.querySelector(`[aria-posinset="${at + 1}"] [data-row]`);
        if (!found) list().scrollTop = at * ROW;
        return found;
      });
      if (row.ariaCurrent) return;
      await this.open(row.dataset.row);
    },

    /** Open one conversation after the other; what was watched meanwhile is let go. */
    async openAll(count) {
      for (let at = 0; at < count; at += 1) await this.openAt(at);
      this.forget();
    },

    /** Milliseconds from a press until what it changes is on the screen. */
    async press(element) {
      const begun = performance.now();
      element.click();
      return (await painted()) - begun;
    },

    /** Load more until the list has so many rows. */
    async fill(count) {
      while (this.loaded() < count) {
        const before = this.loaded();
        const scroller = list();
        scroller.scrollTop = scroller.scrollHeight;
        await until(() => this.loaded() > before);
      }
      list().scrollTop = 0;
      await painted();
    },

    /** Scroll through the list for so long; the frames that were shown meanwhile. */
    async scroll(seconds) {
      const scroller = list();
      const begun = performance.now();
      let frames = 0;
      let way = 24;
      for (;;) {
        const now = await new Promise(requestAnimationFrame);
        if (now - begun > seconds * 1000) return frames / ((now - begun) / 1000);
        frames += 1;
        const end = scroller.scrollHeight - scroller.clientHeight;
        if (scroller.scrollTop >= end - 1) way = -24;
        else if (scroller.scrollTop <= 0) way = 24;
        scroller.scrollTop += way;
      }
    },

    /** Everything seen from now on is counted anew. */
    forget() {
      for (const seen of [longTasks, shifts, events]) seen.length = 0;
    },

    seen: () => ({
      longTasks: longTasks.length,
      longest: Math.max(0, ...longTasks.map((task) => task.duration)),
      blocking: longTasks.reduce((sum, task) => sum + task.duration - 50, 0),
      shift: shift(),
      input: Math.max(0, ...events.map((event) => event.duration)),
    }),
  };
})();
