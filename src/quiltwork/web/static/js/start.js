// The form that begins a run.
import { ask, order } from "./api.js";
import { h, put } from "./dom.js";

export function startDialog() {
  const choice = h("select", { id: "start-problem", required: true }),
    about = h("p", { class: "hint", role: "status" });
  const path = h("input", {
    id: "start-path",
    type: "text",
    placeholder: "my_problem",
    autocomplete: "off",
    spellcheck: "false",
  });
  const budget = h("input", {
    id: "start-budget",
    type: "text",
    placeholder: "500evals, 5min, 2usd",
    autocomplete: "off",
  });
  const seed = h("input", { id: "start-seed", type: "number", min: 0, step: 1, value: "0", inputmode: "numeric" });
  const name = h("input", {
    id: "start-name",
    type: "text",
    placeholder: "named after the problem and the time",
    autocomplete: "off",
    pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*",
  });
  const known = h("datalist", { id: "start-models" });
  const model = h("input", {
    id: "start-model",
    type: "text",
    placeholder: "none: classical operators only",
    autocomplete: "off",
    spellcheck: "false",
    list: "start-models",
  });
  const why = h("p", { class: "why", role: "alert" }),
    go = h("button", { class: "primary", type: "submit" }, "Begin");
  const other = field("Folder", path, "A folder of a problem, below the one where this server was started.");
  let problems = [];

  const describe = () => {
    const chosen = problems.find((each) => each.path === choice.value);
    other.hidden = Boolean(chosen);
    about.textContent = chosen?.summary ?? "";
    budget.placeholder = chosen?.budget ? `${chosen.budget}, as the problem says` : "500evals, 5min, 2usd";
  };
  const submit = async (event) => {
    event.preventDefault();
    why.textContent = "";
    go.disabled = true;
    try {
      const begun = await order("/api/runs", {
        problem: choice.value || path.value,
        budget: budget.value,
        seed: Number(seed.value),
        name: name.value,
        model: model.value,
      });
      location.href = `/runs/${encodeURIComponent(begun.run)}`;
    } catch (error) {
      why.textContent = error.message;
      go.disabled = false;
    }
  };
  choice.addEventListener("change", describe);
  const dialog = h(
    "dialog",
    { class: "sheet small", "aria-labelledby": "start-title" },
    h(
      "form",
      { submit },
      h(
        "div",
        { class: "sheethead" },
        h("h2", { id: "start-title" }, "New run"),
        h("button", { type: "button", class: "quiet", "aria-label": "Close", click: () => dialog.close() }, "\u00d7"),
      ),
      field("Problem", choice),
      about,
      other,
      h(
        "div",
        { class: "two" },
        field("Budget", budget, "Evaluations, time, tokens or dollars."),
        field("Seed", seed, "Equal seeds, equal histories."),
      ),
      field("Models", model, "Names that `quiltwork models list` shows, or URL#ID, with commas between them."),
      known,
      field("Name", name),
      why,
      h("div", { class: "buttons" }, go, h("button", { type: "button", click: () => dialog.close() }, "Cancel")),
    ),
  );

  const showModal = async () => {
    dialog.showModal();
    try {
      const found = await ask("/api/problems");
      problems = found.problems;
      put(
        choice,
        problems.map((each) => h("option", { value: each.path }, each.path)),
        h("option", { value: "" }, "another folder\u2026"),
      );
      put(
        known,
        found.models.map((each) => h("option", { value: each })),
      );
      describe();
    } catch (error) {
      why.textContent = error.message;
    }
  };
  return { dialog, showModal };
}

function field(label, input, hint) {
  return h(
    "div",
    { class: "field" },
    h("label", { for: input.id }, label),
    input,
    hint && h("span", { class: "label" }, hint),
  );
}
