const svg = document.querySelector("#graph svg"), groups = [...svg.querySelectorAll("g[data-box]")];
const full = svg.getAttribute("viewBox").split(" ").map(Number);
let box = [...full], drag = null;
svg.removeAttribute("width"); svg.removeAttribute("height");
svg.style.cssText = "width:100%;height:calc(100vh - 150px);min-height:300px;border:1px solid var(--line);border-radius:6px;background:white;cursor:grab";
const show = () => svg.setAttribute("viewBox", box.join(" "));
const at = event => { const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()); return [point.x, point.y]; };
function zoom(by, [x, y]) { box = [x - (x - box[0]) * by, y - (y - box[1]) * by, box[2] * by, box[3] * by]; show(); }
svg.addEventListener("wheel", event => { event.preventDefault(); zoom(event.deltaY < 0 ? 0.83 : 1.2, at(event)); }, { passive: false });
svg.addEventListener("pointerdown", event => { drag = at(event); svg.setPointerCapture(event.pointerId); });
svg.addEventListener("pointerup", () => { drag = null; });
svg.addEventListener("pointermove", event => {
  if (drag) { const [x, y] = at(event); box[0] += drag[0] - x; box[1] += drag[1] - y; show(); return; }
  const group = document.elementFromPoint(event.clientX, event.clientY)?.closest("g[data-box]"), b = group && DATA.boxes[+group.dataset.box];
  tip(event, b ? [b.title, b.detail, `number ${b.order} in order`, b.bytes ? bytes(b.bytes) : "", b.time === null ? "" : time(b.time) + " predicted", b.place ? "called at " + b.place : ""].filter(Boolean).join("\n") : "");
});
svg.addEventListener("pointerleave", event => tip(event, ""));
const middle = () => [box[0] + box[2] / 2, box[1] + box[3] / 2];
$("in").onclick = () => zoom(0.7, middle()); $("out").onclick = () => zoom(1.4, middle()); $("all").onclick = () => { box = [...full]; show(); };
groups.forEach(group => { const own = group.querySelector("title"); if (own) own.remove(); group.plain = group.querySelector("rect").getAttribute("fill"); });
// From pale to strong; the boxes stand on white, and black text can be read on all of it.
const ramp = share => `hsl(${210 - 190 * share} ${55 + 30 * share}% ${90 - 25 * share}%)`;
function paint() {
  const by = $("by").value, values = DATA.boxes.map(b => b[by] || 0), most = Math.max(1e-9, ...values);
  groups.forEach(group => group.querySelector("rect").setAttribute("fill", by === "layer" ? group.plain : ramp(values[+group.dataset.box] / most)));
}
$("by").onchange = paint; theme(paint);
