const LEFT = Math.min(Math.max(74, ...DATA.lanes.map(lane => 16 + 6.5 * lane.name.length)), 240), LANE = 34, GAP = 8, HEAD = 18;
const whole = [0, Math.max(DATA.elapsed, 1)];
let view = [...whole], only = null, drag = null;
const names = row => row === DATA.writes ? "to the disk" : row === DATA.reads ? "from the disk" : DATA.rows[row] ? DATA.rows[row].name : "?";
const paint = row => row === DATA.writes ? "#c0392b" : row === DATA.reads ? "#e67e22" : colour(row, only !== null && only !== row);
// How deep each span lies within others of its lane (they are sorted, outer ones first).
for (const lane of DATA.lanes) {
  const s = lane.spans, ends = []; lane.depth = new Uint8Array(s.length / 5);
  for (let k = 0; k < s.length; k += 5) {
    while (ends.length && ends[ends.length - 1] <= s[k + 2]) ends.pop();
    lane.depth[k / 5] = Math.min(ends.length, 4); ends.push(s[k + 2] + s[k + 3]);
  }
}
function axis(g, width, height, x) {
  const by = step(view[1] - view[0], Math.max(2, width / 110));
  g.strokeStyle = style("--grid"); g.fillStyle = style("--dim"); g.textAlign = "center";
  for (let t = Math.ceil(view[0] / by) * by; t <= view[1]; t += by) {
    g.beginPath(); g.moveTo(x(t), HEAD); g.lineTo(x(t), height); g.stroke(); g.fillText(time(t), x(t), 12);
  }
}
const scale = width => t => LEFT + (t - view[0]) / (view[1] - view[0]) * (width - LEFT - 4);
function threads() {
  const height = HEAD + DATA.lanes.length * (LANE + GAP) + 4, [g, width] = surface($("threads"), height), x = scale(width);
  axis(g, width, height, x);
  DATA.lanes.forEach((lane, number) => {
    const top = HEAD + number * (LANE + GAP) + 4;
    g.fillStyle = style("--text"); g.textAlign = "left"; g.fillText(lane.name, 8, top + LANE / 2 + 4);
    g.save(); g.beginPath(); g.rect(LEFT, 0, width - LEFT, height); g.clip();
    const full = bin => { let sum = 0; for (let k = 2; k < bin.length; k += 3) sum += bin[k]; return Math.min(sum / lane.width, 1) * LANE; };
    lane.bins.forEach((bin, at) => {
      const from = x(at * lane.width), to = x((at + 1) * lane.width);
      if (to < LEFT || from > width) return;
      let base = top + LANE;
      for (let k = 0; k < bin.length; k += 3) {
        const tall = Math.min(bin[k + 2] / lane.width, 1) * LANE;
        g.fillStyle = paint(bin[k]); g.fillRect(from, base - tall, Math.max(to - from, 0.5), tall); base -= tall;
      }
    });
    // What is narrower than a pixel is summed by pixel: as high as it is dense.
    const s = lane.spans, pixels = new Map(), pixel = (view[1] - view[0]) / (width - LEFT - 4);
    for (let k = 0; k < s.length; k += 5) {
      const from = x(s[k + 2]), to = x(s[k + 2] + s[k + 3]);
      if (to < LEFT || from > width) continue;
      if (to - from < 1) {
        const at = Math.floor(from), shares = pixels.get(at) || new Map();
        shares.set(s[k], (shares.get(s[k]) || 0) + s[k + 3]); pixels.set(at, shares); continue;
      }
      const deep = lane.depth[k / 5] * 5;
      g.fillStyle = paint(s[k]); g.fillRect(from, top + deep, to - from - (to - from > 3 ? 0.7 : 0), LANE - deep);
      if (to - from > 46) {
        g.save(); g.beginPath(); g.rect(from, top, to - from - 3, LANE); g.clip();
        g.fillStyle = "#111"; g.fillText(names(s[k]), Math.max(from, LEFT) + 4, top + LANE / 2 + 4); g.restore();
      }
    }
    for (const [at, shares] of pixels) {
      let base = top + LANE - full(lane.bins[Math.floor((view[0] + (at - LEFT) * pixel) / lane.width)] || []);
      for (const [row, sum] of shares) {
        const tall = Math.min(Math.max(sum / pixel * LANE, 0.5), base - top);
        g.fillStyle = paint(row); g.fillRect(at, base - tall, 1, tall); base -= tall;
      }
    }
    g.restore();
  });
}
const LINES = [["results", 1, "#2e86de"], ["with what tasks have reserved", 2, "#8e6fd8"], ["process", 3, "#e67e22"]];
function memory() {
  const s = DATA.samples, height = 190, [g, width] = surface($("memory"), height), x = scale(width);
  let most = DATA.limit && DATA.limit < 4e15 ? 0 : 0;
  for (let k = 0; k < s.length; k += 6) most = Math.max(most, s[k + 1] + s[k + 2], s[k + 3]);
  const showLimit = DATA.limit !== null && DATA.limit < most * 3; if (showLimit) most = Math.max(most, DATA.limit);
  most = Math.max(most * 1.05, 1);
  const y = v => height - 4 - v / most * (height - HEAD - 8);
  axis(g, width, height, x);
  const unit = 1024 ** Math.max(0, Math.floor(Math.log(most) / Math.log(1024))), by = step(most / unit, 4) * unit;
  g.textAlign = "right";
  for (let v = 0; v <= most; v += by) { g.strokeStyle = style("--grid"); g.beginPath(); g.moveTo(LEFT, y(v)); g.lineTo(width, y(v)); g.stroke(); g.fillStyle = style("--dim"); g.fillText(bytes(v), LEFT - 6, y(v) + 3); }
  g.save(); g.beginPath(); g.rect(LEFT, 0, width - LEFT, height); g.clip();
  for (const [, at, hueOf] of LINES) {
    const of = k => at === 2 ? s[k + 1] + s[k + 2] : s[k + at];
    g.strokeStyle = hueOf; g.lineWidth = 1.5; g.beginPath();
    for (let k = 0; k < s.length; k += 6) k ? g.lineTo(x(s[k]), y(of(k))) : g.moveTo(x(s[k]), y(of(k)));
    g.stroke();
  }
  if (showLimit) { g.strokeStyle = "#c0392b"; g.setLineDash([5, 4]); g.beginPath(); g.moveTo(LEFT, y(DATA.limit)); g.lineTo(width, y(DATA.limit)); g.stroke(); g.setLineDash([]); }
  g.restore(); g.lineWidth = 1;
}
function draw() {
  threads(); memory();
  for (const row of document.querySelectorAll("#table tbody tr")) {
    const number = +row.dataset.row; row.classList.toggle("on", only === number);
    row.querySelector(".swatch").style.background = colour(number, only !== null && only !== number);
  }
}
function zoom(by, at) {
  const span = Math.min(Math.max((view[1] - view[0]) * by, 100), whole[1]), share = (at - view[0]) / (view[1] - view[0]);
  const from = Math.min(Math.max(at - span * share, 0), whole[1] - span); view = [from, from + span]; draw();
}
const when = (event, canvas) => { const box = canvas.getBoundingClientRect(); return view[0] + (event.clientX - box.left - LEFT) / (box.width - LEFT - 4) * (view[1] - view[0]); };
for (const canvas of [$("threads"), $("memory")]) {
  canvas.addEventListener("wheel", event => { event.preventDefault(); zoom(event.deltaY < 0 ? 0.8 : 1.25, when(event, canvas)); }, { passive: false });
  canvas.addEventListener("pointerdown", event => { drag = when(event, canvas); canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointerup", () => { drag = null; });
  canvas.addEventListener("pointerleave", event => tip(event, ""));
  canvas.addEventListener("pointermove", event => {
    if (drag === null) return tip(event, (canvas.id === "threads" ? ofThreads : ofMemory)(event, when(event, canvas)));
    const span = view[1] - view[0], from = Math.min(Math.max(view[0] + drag - when(event, canvas), 0), whole[1] - span); view = [from, from + span]; draw();
  });
}
function ofThreads(event, t) {
  const lane = DATA.lanes[Math.floor((event.clientY - $("threads").getBoundingClientRect().top - HEAD - 4) / (LANE + GAP))];
  if (!lane || t < view[0]) return "";
  const s = lane.spans, slack = (view[1] - view[0]) / 1500; let found = -1;
  for (let k = 0; k < s.length && s[k + 2] <= t + slack; k += 5) if (t <= s[k + 2] + s[k + 3] + slack) found = k;
  if (found >= 0) {
    const row = DATA.rows[s[found]], place = row && row.place ? "\ncalled at " + row.place : "";
    return `${names(s[found])}, block ${s[found + 1]}\n${time(s[found + 3])} from ${time(s[found + 2])}, ${bytes(s[found + 4])}${place}`;
  }
  const bin = lane.bins[Math.floor(t / lane.width)] || [], lines = [];
  for (let k = 0; k < bin.length; k += 3) lines.push(`${names(bin[k])}: ${count(bin[k + 1])} tasks, ${time(bin[k + 2])}`);
  return lines.length ? `${time(lane.width)} from ${time(Math.floor(t / lane.width) * lane.width)}\n` + lines.join("\n") : "";
}
function ofMemory(event, t) {
  const s = DATA.samples; let at = -1;
  for (let k = 0; k < s.length && s[k] <= t; k += 6) at = k;
  if (at < 0) return "";
  const disk = s[at + 4] || s[at + 5] ? `\nto the disk ${bytes(s[at + 4])}, back ${bytes(s[at + 5])}` : "";
  return `${time(s[at])}\nresults ${bytes(s[at + 1])}\nreserved by tasks ${bytes(s[at + 2])}\nprocess ${bytes(s[at + 3])}${disk}`;
}
const middle = () => (view[0] + view[1]) / 2;
$("in").onclick = () => zoom(0.5, middle()); $("out").onclick = () => zoom(2, middle()); $("all").onclick = () => { view = [...whole]; draw(); };
document.querySelectorAll("#table tbody tr").forEach(row => { row.onclick = () => { only = only === +row.dataset.row ? null : +row.dataset.row; draw(); }; });
$("keys").innerHTML = LINES.map(([what, , hueOf]) => `<span><i style="background:${hueOf}"></i>${what}</span>`).join("") + (DATA.limit === null ? "" : '<span><i style="background:#c0392b"></i>limit (if it is near)</span>');
theme(draw); draw();
