const KEEP = 600, LANE = 24, LEFT = 74, history = [], rows = new Map();
const rowOf = name => { if (!rows.has(name)) rows.set(name, rows.size); return rows.get(name); };
const sum = (runs, of) => runs.reduce((all, run) => all + of(run), 0);
function card(value, what) { const box = document.createElement("div"); box.className = "card"; const b = document.createElement("b"), s = document.createElement("span"); b.textContent = value; s.textContent = what; box.append(b, s); return box; }
function draw() {
  if (!history.length) return;
  const now = history[history.length - 1], lanes = Math.max(1, ...history.map(h => Math.max(0, ...h.runs.map(r => r.threads))));
  const [g, width] = surface($("stream"), lanes * (LANE + 4) + 4), x = k => LEFT + (k + KEEP - history.length) / KEEP * (width - LEFT);
  for (let lane = 0; lane < lanes; lane++) { g.fillStyle = style("--text"); g.fillText("thread " + lane, 8, 4 + lane * (LANE + 4) + LANE / 2 + 4); }
  history.forEach((h, k) => h.runs.forEach(run => run.running.forEach(task => {
    g.fillStyle = task.writes ? "#c0392b" : colour(rowOf(task.operation)); g.fillRect(x(k), 4 + task.thread * (LANE + 4), x(k + 1) - x(k) + 0.3, LANE);
  })));
  const height = 150, [m, wide] = surface($("memory"), height);
  const most = Math.max(1, ...history.map(h => Math.max(h.process, sum(h.runs, r => r.held + r.reserved)))) * 1.05, y = v => height - 4 - v / most * (height - 12);
  m.fillStyle = style("--dim"); m.fillText(bytes(most), 4, 14);
  for (const [of, ink] of [[h => sum(h.runs, r => r.held), "#2e86de"], [h => sum(h.runs, r => r.held + r.reserved), "#8e6fd8"], [h => h.process, "#e67e22"]]) {
    m.strokeStyle = ink; m.lineWidth = 1.5; m.beginPath();
    history.forEach((h, k) => k ? m.lineTo(x(k), y(of(h))) : m.moveTo(x(k), y(of(h)))); m.stroke();
  }
  const done = sum(now.runs, r => r.done), tasks = sum(now.runs, r => r.tasks), cores = sum(now.runs, r => r.running.length);
  $("state").textContent = now.runs.length ? now.runs.map(r => `${count(r.done)} of ${count(r.tasks)} tasks in ${r.seconds.toFixed(1)} s${r.cancelled ? ", cancelled" : ""}`).join("; ") : "nothing is being computed";
  $("cards").replaceChildren(card(tasks ? (100 * done / tasks).toFixed(1) + "%" : "-", "of tasks done"), card(cores, "threads at work"), card(sum(now.runs, r => r.ready), "tasks ready"), card(bytes(sum(now.runs, r => r.held)), "held by results"), card(bytes(now.process), "process"));
  $("running").replaceChildren(...now.runs.flatMap(r => r.running).slice(0, 50).map(task => {
    const line = document.createElement("tr");
    for (const text of [`${task.operation}/${task.block}${task.writes ? " to the disk" : ""}`, task.thread, task.seconds.toFixed(1) + " s"]) { const cell = document.createElement("td"); cell.textContent = text; line.append(cell); }
    return line;
  }));
}
$("keys").innerHTML = '<span><i style="background:#2e86de"></i>results</span><span><i style="background:#8e6fd8"></i>with what tasks have reserved</span><span><i style="background:#e67e22"></i>process</span>';
const source = new EventSource("/events");
source.onmessage = event => { history.push(JSON.parse(event.data)); if (history.length > KEEP) history.shift(); draw(); };
source.onerror = () => { $("state").textContent = "the program has ended or cannot be reached"; };
theme(draw);
