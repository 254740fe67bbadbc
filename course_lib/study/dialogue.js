// The player of course_lib/study/dialogue.py. Three ways to hear a line, tried in this order: its recording, the
// browser's own voice, and none at all, where lines are marked at reading pace.

const SPEEDS = [0.75, 1, 1.25, 1.5, 1.75, 2];
const RECORDING_MS = 4000; // for a recording to come from the kernel
const LATE_MS = 500; // the same, once the kernel has let one wait
const VOICE_MS = 3000; // for the browser's voice to begin
const DOUBLE_CLICK_MS = 250;
const READING_WORDS_A_SECOND = 2.6;
const BEGINS = "course-listen-begins"; // tells the page's other players to be quiet

function render({ model, el }) {
  const lines = model.get("lines");
  const voices = model.get("voices");
  const speakers = Object.keys(voices);
  const synth = window.speechSynthesis;
  const me = uniqueId("listen");

  let now = 0;
  let playing = false;
  let speed = 1;
  let way = null; // how the current line is heard: "waiting", "recording", "voice", "pace", or null before it began
  let run = 0; // counts beginnings, so that what an earlier one left behind is not heeded
  let timer = 0;
  let spoken = null; // held, or Chromium forgets the utterance and its events
  let heard = false; // whether that utterance has begun
  let mute = false; // the browser's voice was tried and said nothing
  const recordings = new Map(); // line -> blob URL
  const asked = new Set();
  let late = false; // the last recording that was waited for did not come
  const without = new Set(lines.flatMap((line, index) => (line.recorded ? [] : [index])));

  // --- what is on the page

  const previous = element("button", { type: "button", onclick: () => move(-1) }, "Previous");
  const play = element("button", { type: "button", class: "course-primary", onclick: () => toggle() }, "Play");
  const next = element("button", { type: "button", onclick: () => move(1) }, "Next");
  const choice = element("select", { onchange: () => setSpeed(Number(choice.value)) });
  choice.append(...SPEEDS.map((value) => element("option", { value, selected: value === 1 }, `${value}×`)));
  const place = element("span", { class: "course-listen-place" });
  const status = element("p", { role: "status", class: "course-listen-status" });
  const items = lines.map(item);
  const transcript = element("div", { class: "course-listen-lines" }, ...chapters());
  const audio = element("audio", { preload: "auto" });
  el.append(
    element(
      "section",
      { class: "course-listen", "aria-label": `Listen: ${model.get("title")}`, onkeydown: key },
      element("p", { class: "course-listen-title" }, `Listen: ${model.get("title")}`),
      element("div", { class: "course-listen-bar" }, previous, play, next, element("label", {}, "Speed ", choice), place),
      status,
      transcript,
      audio,
    ),
  );

  function item(line, index) {
    const { shape } = voices[line.speaker];
    const what = line.chapter ? `Paragraph ${index + 1}` : `${line.speaker}, line ${index + 1}`;
    const button = element(
      "button",
      { type: "button", tabindex: index ? -1 : 0, "aria-label": `${what}: play from here` },
      element("span", { "aria-hidden": "true" }, shape),
      line.chapter ? null : ` ${line.speaker}`,
    );
    const text = element("div", { class: "course-listen-text" });
    text.innerHTML = line.html; // made safe by course_lib.maths
    for (const link of text.querySelectorAll("a")) link.dataset.lmSuppressShortcuts = "true";
    const made = element("li", { class: `course-listen-line course-voice-${speakers.indexOf(line.speaker)}` }, button, text);
    button.addEventListener("click", () => choose(index));
    let clicked = 0;
    text.addEventListener("click", (event) => {
      clearTimeout(clicked);
      if (event.target.closest("a")) return;
      // Whoever drags over words, or clicks twice, marks them and means no more.
      clicked = setTimeout(() => window.getSelection()?.isCollapsed !== false && choose(index), DOUBLE_CLICK_MS);
    });
    return { made, button };
  }

  function chapters() {
    const pieces = [];
    lines.forEach((line, index) => {
      if (index === 0 || line.chapter !== lines[index - 1].chapter) {
        if (line.chapter) pieces.push(element("p", { class: "course-listen-chapter" }, line.chapter));
        pieces.push(element("ol", { start: index + 1 }));
      }
      pieces.at(-1).append(items[index].made);
    });
    return pieces;
  }

  function show() {
    items.forEach(({ made, button }, index) => {
      made.classList.toggle("course-now", index === now);
      if (index === now) made.setAttribute("aria-current", "true");
      else made.removeAttribute("aria-current");
      button.tabIndex = index === now ? 0 : -1;
    });
    play.textContent = playing ? "Pause" : "Play";
    const minutes = model.get("minutes");
    place.textContent = `${now + 1} of ${lines.length}, about ${minutes} ${minutes === 1 ? "minute" : "minutes"} in all`;
  }

  /** Scroll the transcript, never the page, and not while the reader is marking text in it. */
  function reveal() {
    const selection = window.getSelection();
    if (selection && !selection.isCollapsed && transcript.contains(selection.anchorNode)) return;
    const box = transcript.getBoundingClientRect();
    const line = items[now].made.getBoundingClientRect();
    if (line.top >= box.top && line.bottom <= box.bottom) return;
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    transcript.scrollTo({ top: transcript.scrollTop + line.top - box.top - 24, behavior: still ? "auto" : "smooth" });
  }

  function say(sentence) {
    if (status.textContent !== sentence) status.textContent = sentence;
  }

  // --- what the learner does

  function toggle() {
    if (playing) pause();
    else if (way === "end") begin(0);
    else if (way === null || way === "waiting") begin(now);
    else resume();
  }

  function choose(index) {
    if (index === now && way !== "end") toggle();
    else begin(index);
  }

  function move(by) {
    const to = Math.min(Math.max(now + by, 0), lines.length - 1);
    if (playing) begin(to);
    else {
      hush();
      now = to;
      show();
      reveal();
      ask(now);
    }
  }

  function setSpeed(value) {
    speed = value;
    audio.defaultPlaybackRate = value;
    audio.playbackRate = value;
    if (playing && (way === "voice" || way === "pace")) begin(now); // these keep the speed they began with
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.target === choice) return;
    const line = items.findIndex(({ button }) => button === event.target);
    const moves = { ArrowRight: () => move(1), ArrowLeft: () => move(-1) };
    if (line >= 0) {
      const focus = (index) => items[Math.min(Math.max(index, 0), lines.length - 1)].button.focus();
      moves.ArrowDown = () => focus(line + 1);
      moves.ArrowUp = () => focus(line - 1);
      moves.Home = () => focus(0);
      moves.End = () => focus(lines.length - 1);
    }
    if (!(event.key in moves)) return; // Space and Enter press the button that has the focus
    event.preventDefault();
    event.stopPropagation();
    moves[event.key]();
  }

  // --- how a line is heard

  /** End whatever is heard or awaited. */
  function hush() {
    run += 1;
    clearTimeout(timer);
    audio.pause();
    if (spoken) synth.cancel();
    spoken = null;
    way = null;
  }

  function begin(index) {
    hush();
    now = index;
    playing = true;
    window.dispatchEvent(new CustomEvent(BEGINS, { detail: me }));
    say("");
    show();
    reveal();
    if (without.has(now)) speak();
    else if (recordings.has(now)) playRecording();
    else {
      way = "waiting";
      const began = run;
      timer = setTimeout(() => {
        if (began !== run) return;
        asked.delete(now);
        late = true;
        speak("The recording has not come, perhaps because the kernel is busy or gone, so the browser reads this line.");
      }, late ? LATE_MS : RECORDING_MS);
    }
    ask(now);
    ask(now + 1);
  }

  function done() {
    if (now + 1 < lines.length) begin(now + 1);
    else {
      hush();
      playing = false;
      way = "end";
      show();
    }
  }

  function pause() {
    playing = false;
    clearTimeout(timer);
    if (way === "recording") audio.pause();
    if (way === "voice") {
      synth.pause();
      // Some systems cannot pause their voice: then it ends, and Play begins the line again.
      timer = setTimeout(() => !playing && synth.speaking && !synth.paused && hush(), 300);
    }
    show();
  }

  function resume() {
    playing = true;
    window.dispatchEvent(new CustomEvent(BEGINS, { detail: me }));
    show();
    if (way === "recording") start();
    else if (way === "voice" && heard && synth.speaking) synth.resume();
    else begin(now);
  }

  function ask(index) {
    if (index >= lines.length || without.has(index) || recordings.has(index) || asked.has(index)) return;
    asked.add(index);
    const { address } = lines[index];
    if (address) download(index, address);
    else model.send({ want: index });
  }

  /** The recording from the site itself, where the course is one. */
  async function download(recording, address) {
    const buffers = [];
    try {
      const response = await fetch(new URL(address, document.baseURI));
      if (response.ok) buffers.push(await response.arrayBuffer());
    } catch {
      // no network: as without a recording
    }
    receive({ recording }, buffers);
  }

  function receive(message, buffers) {
    if (!message || !("recording" in message)) return;
    const index = message.recording;
    asked.delete(index);
    late = false;
    if (message.url) recordings.set(index, message.url); // a page without a kernel says where it lies
    else if (!buffers?.length) without.add(index);
    else if (!recordings.has(index)) {
      recordings.set(index, URL.createObjectURL(new Blob([buffers[0]], { type: "audio/mpeg" })));
    }
    if (!playing || way !== "waiting" || index !== now) return;
    clearTimeout(timer);
    if (without.has(index)) speak();
    else playRecording();
  }

  function playRecording() {
    way = "recording";
    audio.src = recordings.get(now);
    audio.dataset.line = now;
    audio.defaultPlaybackRate = speed;
    audio.playbackRate = speed;
    start();
  }

  function start() {
    const began = run;
    audio.play().catch((error) => {
      if (began !== run || error.name === "AbortError") return;
      if (error.name === "NotAllowedError") {
        pause();
        say("The browser wants one more press on Play before it makes a sound.");
      } else unplayable();
    });
  }

  function unplayable() {
    without.add(now);
    speak("This browser cannot play the recording, so it reads the line with its own voice.");
  }

  /** The browser's own voice. Voices that are not on this machine would send the text to another, so none is used. */
  function speak(why = "This line has no recording yet, so the browser reads it.") {
    const found = synth?.getVoices() ?? [];
    const voice = voiceOf(lines[now].speaker, found);
    if (mute || !synth || !window.SpeechSynthesisUtterance || (found.length && !voice)) {
      keepPace();
      return;
    }
    way = "voice";
    say(why);
    const began = run;
    const { language, pitch } = voices[lines[now].speaker];
    spoken = new SpeechSynthesisUtterance(lines[now].words);
    Object.assign(spoken, { lang: language, pitch, rate: speed });
    if (voice) spoken.voice = voice;
    heard = false;
    spoken.onstart = () => {
      if (began !== run) return;
      clearTimeout(timer);
      heard = true;
    };
    spoken.onend = () => began === run && done();
    spoken.onerror = () => began === run && giveUp();
    timer = setTimeout(() => began === run && giveUp(), VOICE_MS);
    synth.resume(); // a pause outlives its utterance
    synth.speak(spoken);
  }

  function giveUp() {
    mute = true;
    if (spoken) synth.cancel();
    spoken = null;
    keepPace();
  }

  /** For each speaker a voice of its own while there are enough, of its own English where there is one. */
  function voiceOf(speaker, found) {
    const here = found.filter((voice) => voice.localService && voice.lang.toLowerCase().startsWith("en"));
    const left = [...here];
    for (const name of speakers) {
      const pool = left.length ? left : here;
      const language = voices[name].language.toLowerCase();
      const taken = pool.find((voice) => voice.lang.toLowerCase().replace("_", "-") === language) ?? pool[0];
      if (name === speaker) return taken;
      left.splice(left.indexOf(taken), left.includes(taken) ? 1 : 0);
    }
    return undefined;
  }

  function keepPace() {
    run += 1;
    way = "pace";
    say("There is no recording here and this browser has no English voice: the lines are marked at reading pace.");
    const words = lines[now].words.split(" ").length;
    clearTimeout(timer);
    timer = setTimeout(done, Math.max(1500, (1000 * words) / READING_WORDS_A_SECOND / speed));
  }

  // --- begin and end

  const quiet = (event) => event.detail !== me && playing && pause();
  window.addEventListener(BEGINS, quiet);
  audio.addEventListener("ended", () => way === "recording" && done());
  audio.addEventListener("error", () => way === "recording" && unplayable());
  model.on("msg:custom", receive);
  synth?.getVoices(); // some browsers begin to load their voices at the first question
  show();
  ask(0); // so that the first press is answered at once, as browsers demand
  return () => {
    hush();
    window.removeEventListener(BEGINS, quiet);
    model.off("msg:custom", receive);
    for (const url of recordings.values()) URL.revokeObjectURL(url);
  };
}

export default { render };
