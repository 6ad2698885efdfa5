const $ = id => document.getElementById(id);
// Hues a golden angle apart: neighbours in the table are far from each other.
const hue = row => (row * 137.508 + 210) % 360;
const dark = () => getComputedStyle(document.documentElement).colorScheme === "dark" || (getComputedStyle(document.documentElement).colorScheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
const colour = (row, off) => off ? (dark() ? "#3a3e44" : "#d9dce0") : `hsl(${hue(row)} ${dark() ? "48% 55%" : "58% 58%"})`;
const style = name => getComputedStyle(document.documentElement).getPropertyValue(name);
const bytes = n => { const u = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]; let k = 0; while (n >= 1024 && k < 5) { n /= 1024; k++; } return (k ? n.toFixed(n < 10 ? 2 : 1) : n) + " " + u[k]; };
const time = ns => ns < 1e3 ? ns.toFixed(0) + " ns" : ns < 1e6 ? (ns / 1e3).toFixed(2) + " µs" : ns < 1e9 ? (ns / 1e6).toFixed(2) + " ms" : (ns / 1e9).toFixed(3) + " s";
const count = n => n.toLocaleString("en");
function tip(event, text) {
  const box = $("tip");
  if (!text) { box.style.display = "none"; return; }
  box.textContent = text; box.style.display = "block";
  box.style.left = Math.max(0, Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8)) + "px";
  box.style.top = Math.max(0, Math.min(event.clientY + 14, innerHeight - box.offsetHeight - 8)) + "px";
}
// A canvas of so many CSS pixels in height, sharp on any screen; gives its context and width.
function surface(canvas, height) {
  const ratio = devicePixelRatio || 1, width = canvas.clientWidth;
  canvas.style.height = height + "px"; canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d"); context.setTransform(ratio, 0, 0, ratio, 0, 0); context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif"; return [context, width];
}
// Round steps for an axis: about `most` of them over `span`.
function step(span, most) { const raw = span / most, base = 10 ** Math.floor(Math.log10(raw)); return base * [1, 2, 5, 10].find(k => k * base >= raw); }
function theme(redraw) {
  $("theme").onclick = () => { const list = document.documentElement.classList, to = dark() ? "light" : "dark"; list.remove("light", "dark"); list.add(to); redraw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw); addEventListener("resize", redraw);
}
