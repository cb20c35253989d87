// Faces to choose from, numbered from 1; the chosen one is marked, for the eye and for screen readers.
function mark() {
  element.querySelectorAll("button").forEach((button, index) => {
    const chosen = index === props.value.chosen;
    button.setAttribute("aria-pressed", chosen);
    button.setAttribute("aria-label", `Face ${index + 1}`);
    button.dataset.number = index + 1;
  });
}
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  props.value = { ...props.value, chosen: Number(button.dataset.face) };
  mark();
  trigger("input");
});
watch("value", mark);
mark();
