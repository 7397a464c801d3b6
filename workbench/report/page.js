"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const named = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  const coloured = (value) => {
    if (typeof value === "string") return /^@[a-z]+$/.test(value) ? named(value.slice(1)) : value;
    if (Array.isArray(value)) return value.map(coloured);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, coloured(part)]));
  };

  const draw = (plot) => {
    const spec = coloured(JSON.parse(plot.dataset.spec));
    const axis = { gridcolor: named("rule"), linecolor: named("rule"), zerolinecolor: named("rule") };
    const layout = {
      ...spec.layout,
      font: { family: "system-ui, sans-serif", size: 13, color: named("ink") },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      xaxis: { ...axis, ...spec.layout.xaxis },
      yaxis: { ...axis, ...spec.layout.yaxis },
      dragmode: false,
    };
    Plotly.react(plot, spec.data, layout, { displayModeBar: false, responsive: true });
    plot.dataset.drawn = "yes";
  };

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "800px" });
  const plots = document.querySelectorAll(".plot");
  plots.forEach((plot) => seen.observe(plot));
  dark.addEventListener("change", () => {
    plots.forEach((plot) => { if (plot.dataset.drawn) draw(plot); });
  });
  window.addEventListener("beforeprint", () => plots.forEach(draw));
})();
