// Seconds at a note. Of a silence only the first `pause` seconds count: reading needs no key; what follows is a pause.
// A tab that nobody sees counts nothing.

function makeClock(seconds, pause, now = () => performance.now() / 1000) {
  let counted = seconds;
  let since = null;
  const running = () => (since === null ? 0 : Math.min(now() - since, pause));
  const settle = () => {
    counted += running();
    since = since === null ? null : now();
  };
  return {
    show() {
      since ??= now();
    },
    hide() {
      settle();
      since = null;
    },
    input() {
      if (since !== null) settle();
    },
    seconds: () => Math.round((counted + running()) * 10) / 10,
    isPaused: () => since === null || now() - since > pause,
  };
}
