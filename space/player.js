// A strip of pictures: the slider fades from one to the next, "play" goes there and back.
const SECONDS = 1.6; // from one end to the other
const SHOWN = 6; // pictures below the slider
let playing = 0;

function show(share) {
  const frames = element.querySelectorAll(".stage img");
  const place = share * (frames.length - 1);
  frames.forEach((frame, index) => {
    // the lower one is opaque, the next one fades in over it
    frame.style.opacity = index === 0 || index <= place ? 1 : Math.max(0, 1 - (index - place));
  });
  const range = element.querySelector("input");
  range.value = share;
  range.style.setProperty("--share", share);
}

function begin() {
  stop();
  if (!element.querySelector(".stage")) return;
  const film = element.querySelectorAll(".film img");
  const step = (film.length - 1) / (Math.min(SHOWN, film.length) - 1 || 1);
  const kept = new Set();
  for (let i = 0; i < Math.min(SHOWN, film.length); i++) kept.add(Math.round(i * step));
  film.forEach((picture, index) => (picture.hidden = !kept.has(index)));
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  show(0);
  if (!calm) play(2);
}

// `ways` from end to end; without it, until it is stopped
function play(ways = Infinity) {
  const from = performance.now() - SECONDS * 1000 * Number(element.querySelector("input").value);
  const mine = ++playing;
  element.querySelector(".play").setAttribute("aria-label", "Pause");
  element.querySelector(".play").classList.add("on");
  requestAnimationFrame(function step(now) {
    if (mine !== playing || !element.isConnected) return;
    const way = Math.max(0, now - from) / 1000 / SECONDS;
    if (way >= ways) {
      show(ways % 2);
      stop();
      return;
    }
    const share = way % 2 <= 1 ? way % 2 : 2 - (way % 2);
    show((1 - Math.cos(Math.PI * share)) / 2);
    requestAnimationFrame(step);
  });
}

function stop() {
  playing++;
  const button = element.querySelector(".play");
  button?.classList.remove("on");
  button?.setAttribute("aria-label", "Play");
}

element.addEventListener("input", (event) => {
  if (event.target.type !== "range") return;
  event.stopPropagation();
  stop();
  show(Number(event.target.value));
});
element.addEventListener("click", (event) => {
  if (event.target.closest(".play")) {
    const button = event.target.closest(".play");
    button.classList.contains("on") ? stop() : play();
  } else if (event.target.dataset.index) {
    stop();
    show(event.target.dataset.index / (element.querySelectorAll(".stage img").length - 1));
  }
});
watch("value", begin);
begin();
