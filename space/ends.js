// What a strip starts and ends with.
function show() {
  element.querySelectorAll("select").forEach((select) => (select.value = props.value[select.dataset.end]));
}
function choose(change) {
  props.value = { ...props.value, ...change };
  show();
  trigger("input");
}
element.addEventListener("change", ({ target }) => choose({ [target.dataset.end]: target.value }));
element.addEventListener("click", (event) => {
  const { start, end } = props.value;
  if (event.target.closest("button")) choose({ start: end, end: start });
});
watch("value", show);
show();
