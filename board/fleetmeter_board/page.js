// How numbers are written in charts (the twins of numbers.py), and the theme.
const fmUnits = (number, units) => {
  if (number === null || number === undefined || Number.isNaN(number)) return "–";
  const size = Math.abs(number);
  const [, scale, unit] = units.find(([limit]) => size < limit);
  const scaled = number / scale;
  const digits = Number.isInteger(scaled) ? 0 : Math.abs(scaled) < 10 ? 2 : Math.abs(scaled) < 100 ? 1 : 0;
  return scaled.toLocaleString("en-US", { maximumFractionDigits: digits }) + unit;
};
const fmShort = (number) => fmUnits(number, [[1e4, 1, ""], [1e6, 1e3, " k"], [1e9, 1e6, " M"], [Infinity, 1e9, " G"]]);
const fmRate = (number) => (typeof number === "number" ? fmShort(number) + "/s" : "–");
const fmShare = (part) => (typeof part === "number" ? (part * 100).toFixed(part < 0.1 ? 1 : 0) + " %" : "–");
const fmSeconds = (time) =>
  time === 0 ? "0" : fmUnits(time, [[1e-3, 1e-6, " µs"], [1, 1e-3, " ms"], [120, 1, " s"], [Infinity, 60, " min"]]);
const fmDollars = (nano) => {
  if (typeof nano !== "number") return "–";
  const amount = nano / 1e9, size = Math.abs(amount);
  const digits = size === 0 ? 0 : size >= 1 ? 2 : size >= 0.01 ? 4 : 6;
  return "$" + amount.toLocaleString("en-US", { minimumFractionDigits: size >= 1 ? 2 : 0, maximumFractionDigits: digits });
};
const fmTime = (at, seconds) => {
  const time = new Date(at), two = (part) => String(part).padStart(2, "0");
  const clock = two(time.getHours()) + ":" + two(time.getMinutes());
  if (seconds > 86400) return time.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return seconds <= 900 && time.getSeconds() ? clock + ":" + two(time.getSeconds()) : clock;
};

const fmTheme = (theme) => {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try {
    localStorage.setItem("fleetmeter-theme", theme);
  } catch {} // a browser may keep nothing; the choice then lasts as long as the page
  fmMark();
};
const fmMark = () => {
  const chosen = document.documentElement.dataset.theme || "";
  for (const button of document.querySelectorAll("[data-choice]"))
    button.setAttribute("aria-pressed", String(button.dataset.choice === chosen));
};
try {
  const kept = localStorage.getItem("fleetmeter-theme");
  if (kept) document.documentElement.dataset.theme = kept;
} catch {}
const fmFold = () => {
  // On a phone only the first screen is open: the rest is as long as twenty of them.
  if (window.innerWidth < 620) for (const part of document.querySelectorAll("details.part")) part.removeAttribute("open");
};
Object.assign(window, { fmShort, fmRate, fmShare, fmSeconds, fmDollars, fmTime, fmTheme, fmMark, fmFold });
