(() => {
  const tools = document.getElementById("tools"), list = document.getElementById("programs");
  const find = document.getElementById("find"), kind = document.getElementById("kind"), order = document.getElementById("order");
  const count = document.getElementById("count");
  const open = () => { const at = location.hash.slice(1) && document.getElementById(location.hash.slice(1)); if (at && at.tagName === "DETAILS") at.open = true; };
  addEventListener("hashchange", open);
  open();
  if (!tools) return;
  const rows = [...list.children].map((at) => ({ at, text: at.dataset.text.toLowerCase(), kinds: at.dataset.kinds.split(" "), step: +at.dataset.step, rank: +at.dataset.rank }));
  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = (!kind.value || row.kinds.includes(kind.value)) && words.every((word) => row.text.includes(word));
      row.at.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown + " of " + rows.length;
  };
  const sort = () => list.append(...rows.sort((a, b) => a[order.value] - b[order.value]).map((row) => row.at));
  find.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  order.addEventListener("change", sort);
  tools.hidden = false;
  filter();
})();
