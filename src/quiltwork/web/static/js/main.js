// Which page this is.
const { page, room } = document.body.dataset;
if (page === "runs") (await import("./runs.js")).show();
else if (["evolve", "pretrain"].includes(room)) (await import(`./${room}/run.js`)).show();
