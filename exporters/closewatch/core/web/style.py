"""How the page looks: one small style sheet, light and dark, without fonts or pictures from elsewhere."""

CSS = """
:root { color-scheme: light dark;
  --bg: #f6f7f9; --card: #fff; --text: #1b1f27; --soft: #596273; --line: #dde1e8; --link: #0b57c2;
  --ok: #146c2e; --ok-bg: #e4f4e8; --bad: #b3191f; --bad-bg: #fdeaea; --warn: #8a5a00; --warn-bg: #fdf2dc;
  --none: #596273; --none-bg: #eceef2; }
@media (prefers-color-scheme: dark) { :root {
  --bg: #12151b; --card: #1b2028; --text: #e8ebf0; --soft: #a3adbd; --line: #303846; --link: #8ab8ff;
  --ok: #7fdc98; --ok-bg: #16331f; --bad: #ff9b98; --bad-bg: #451b1d; --warn: #f3c66d; --warn-bg: #3d2f10;
  --none: #a3adbd; --none-bg: #2a313c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.page { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1.25rem 2.5rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; justify-content: space-between; }
h1 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em; }
h1 small { font-size: .85rem; font-weight: 400; color: var(--soft); letter-spacing: 0; }
h2 { font-size: 1.05rem; margin: 2rem 0 .6rem; }
p { margin: .4rem 0; }
a { color: var(--link); }
.soft, time { color: var(--soft); }
.verdict { margin: 1.1rem 0; padding: .8rem 1rem; border-radius: .5rem; font-size: 1.1rem; font-weight: 600; }
.verdict.ok { background: var(--ok-bg); color: var(--ok); }
.verdict.bad { background: var(--bad-bg); color: var(--bad); }
.verdict.none { background: var(--none-bg); color: var(--none); }
.kinds { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .8rem; padding: 0; margin: 0;
  list-style: none; }
.kinds > li, .troubles > li, .table { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
.kinds > li { padding: .8rem 1rem; }
.kinds b { display: block; overflow-wrap: anywhere; }
.kinds dl { display: flex; gap: 1.4rem; margin: .3rem 0 0; }
.kinds dl div { display: flex; flex-direction: column-reverse; }
.kinds dd { margin: 0; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.kinds dt { color: var(--soft); font-size: .85rem; }
.kinds .zero { color: var(--soft); }
.kinds .down:not(.zero) { color: var(--bad); font-weight: 650; }
.kinds .up:not(.zero) { color: var(--ok); font-weight: 650; }
.troubles { list-style: none; margin: 0; padding: 0; display: grid; gap: .6rem; }
.troubles > li { border-left: 4px solid var(--warn); padding: .65rem 1rem; overflow-wrap: anywhere; }
.troubles > li.down { border-left-color: var(--bad); }
.troubles .head { display: flex; flex-wrap: wrap; gap: .2rem .7rem; align-items: baseline;
  justify-content: space-between; }
.troubles p { margin: .15rem 0 0; }
.mark { display: inline-block; padding: 0 .5rem; border-radius: 1rem; font-size: .8rem; font-weight: 650;
  white-space: nowrap; }
.mark.up { background: var(--ok-bg); color: var(--ok); }
.mark.down { background: var(--bad-bg); color: var(--bad); }
.mark.partly { background: var(--warn-bg); color: var(--warn); }
.mark.unknown { background: var(--none-bg); color: var(--none); }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .45rem .8rem; vertical-align: top; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; min-width: 5.5rem; max-width: 24rem; }
thead th { border-top: 0; font-size: .8rem; color: var(--soft); font-weight: 600; white-space: nowrap; }
thead th:first-child { min-width: 10rem; }
tbody th { font-weight: 600; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
thead th.number { text-align: right; }
.notes { background: var(--warn-bg); color: var(--warn); border-radius: .5rem; padding: .6rem 1rem .6rem 2.2rem;
  margin: 1rem 0; }
.kinds + p { margin-top: .8rem; }
footer { margin-top: 2rem; color: var(--soft); font-size: .9rem; }
footer nav a { margin-right: 1.1rem; white-space: nowrap; }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
@media print { body { background: #fff; } }
"""
