"""The look of the report."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --muted: #57606a; --rule: #d8dde3; --soft: #f5f7f9;
  --band: #c9ced6; --first: #0072b2; --second: #b84a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e6e9ed; --muted: #9aa4b0; --rule: #343b44; --soft: #1c2126;
    --band: #414a56; --first: #56b4e9; --second: #f0a23c;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 66rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .6rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 3rem 0 .75rem; }
h3 { font-size: 1rem; line-height: 1.3; margin: 0 0 .35rem; }
p { margin: 0 0 .75rem; max-width: 46rem; }
code { font: .92em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.lead { font-size: 1.08rem; }
.quiet, figcaption, caption { color: var(--muted); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 1px; margin: 1.75rem 0 0;
  background: var(--rule); border: 1px solid var(--rule); border-radius: .5rem; overflow: hidden; }
.facts div { background: var(--paper); padding: .7rem .9rem .75rem; }
.facts dt { color: var(--muted); font-size: .82rem; }
.facts dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.facts small { display: block; color: var(--muted); font-size: .78rem; font-weight: 400; }
.wide { overflow-x: auto; max-width: 46rem; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 .4rem; }
th, td { padding: .32rem .75rem .32rem 0; border-bottom: 1px solid var(--rule); text-align: right;
  vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-weight: 500; font-size: .84rem; vertical-align: bottom; }
th[scope=row], thead th:first-child, .words td, .words thead th { text-align: left; }
th[scope=row] { font-weight: 500; }
.part th[scope=row] { font-weight: 400; padding-left: 1.1rem; color: var(--muted); }
td:last-child:not(:nth-child(2)) { color: var(--muted); }
.words td { overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 2.25rem 2.5rem;
  margin-top: 1.25rem; }
figure { margin: 0; min-width: 0; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
figure svg text { font-family: inherit; font-variant-numeric: tabular-nums; }
figcaption { font-size: .88rem; line-height: 1.45; margin-top: .3rem; }
details { margin-top: 3rem; border-top: 1px solid var(--rule); padding-top: .9rem; }
details + details { margin-top: .9rem; }
summary { cursor: pointer; font-size: 1.2rem; font-weight: 600; }
details[open] > summary { margin-bottom: .9rem; }
summary:focus-visible { outline: 2px solid var(--first); outline-offset: 3px; }
@media (max-width: 34rem) {
  body { padding-top: 1.5rem; }
  table { font-size: .84rem; }
  th[scope=row] { min-width: 7rem; overflow-wrap: anywhere; }
  th, td { padding-right: .55rem; }
}
@media print { body { max-width: none; padding: 0; } figure { break-inside: avoid; } }
""".strip()
