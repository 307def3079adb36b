// Before first paint: the stored theme and mode, else the system's mode.
(function () {
  var root = document.documentElement.dataset;
  var stored = {};
  try {
    stored = JSON.parse(localStorage.getItem("hub.theme") || "{}");
  } catch {
    // A browser that keeps nothing shows the defaults.
  }
  root.theme = stored.theme || "green";
  root.mode =
    stored.mode || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
})();
