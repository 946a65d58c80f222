import { cssVariables } from '../report/palette.js';
import { verdictStyle } from '../report/verdicts.js';

/** The style sheet of the page at `/`, for light and dark, phones to wide screens. */
export const pageStyle = `
:root{${cssVariables(0)}}
@media (prefers-color-scheme:dark){:root{${cssVariables(1)}}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0;padding:1rem clamp(.75rem,2vw,2rem) 2rem;background:var(--page);color:var(--text);font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:center;justify-content:space-between;margin-bottom:1rem}
header>div{min-width:0}
h1{margin:0;font-size:1.4rem;line-height:1.2;overflow-wrap:anywhere}
h2{margin:0;font-size:1rem}
.note{margin:.1rem 0 0;color:var(--muted);font-size:.85rem;overflow-wrap:anywhere}
.note:empty{display:none}
.message{margin:1.5rem 0;color:var(--muted)}
#state{margin:0;padding:.3rem .8rem;border:1px solid var(--grid);border-radius:1rem;background:var(--panel);font-size:.9rem}
#state::before{content:"";display:inline-block;width:.6rem;height:.6rem;margin-right:.5rem;border-radius:50%;background:var(--muted)}
#state[data-state=live]::before{background:var(--green)}
#state[data-state=gone],#state[data-state=locked]{border-color:var(--vermillion);color:var(--text);font-weight:600}
#state[data-state=gone]::before,#state[data-state=locked]::before{background:var(--vermillion);border-radius:0}
main.stale{opacity:.55}
form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;max-width:34rem;margin:3rem auto;padding:1.25rem;border:1px solid var(--grid);border-radius:8px;background:var(--panel)}
form label,form .note{flex-basis:100%}
input,button{font:inherit;padding:.45rem .7rem;border:1px solid var(--muted);border-radius:6px;background:var(--page);color:var(--text)}
input{flex:1;min-width:0}
button{cursor:pointer;border-color:var(--blue);color:var(--blue);font-weight:600}
#figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;margin:0 0 .75rem}
#figures>div,section{padding:.75rem .9rem;border:1px solid var(--grid);border-radius:8px;background:var(--panel);min-width:0}
dt{color:var(--muted);font-size:.85rem}
dd{margin:0;font-size:1.6rem;font-weight:600;line-height:1.25;font-variant-numeric:tabular-nums}
dd.note{font-size:.8rem;font-weight:400}
.columns{display:grid;gap:.75rem;grid-template-columns:minmax(0,1fr)}
@media (min-width:64rem){.columns{grid-template-columns:minmax(0,5fr) minmax(0,3fr);grid-template-rows:auto auto auto 1fr;grid-template-areas:"scores thresholds" "scores rate" "anomalies domain" "anomalies drift"}#scores{grid-area:scores}#thresholds{grid-area:thresholds}#rate{grid-area:rate}#domain{grid-area:domain}#drift{grid-area:drift}#anomalies{grid-area:anomalies}}
.body{margin-top:.5rem}
svg{display:block;width:100%;overflow:visible}
text{font-family:inherit}
.tick{fill:var(--muted);font-size:11px}
.end{text-anchor:end}
.middle{text-anchor:middle}
.grid{stroke:var(--grid)}
.axis{stroke:var(--muted)}
.bar{fill:var(--blue);opacity:.8}
.bar.beyond{fill:var(--vermillion);opacity:.9}
.threshold{stroke:var(--text);stroke-dasharray:2 3}
.area{fill:var(--blue);fill-opacity:.25;stroke:var(--blue);stroke-width:1.25}
.scroll{max-width:100%;overflow-x:auto}
.scroll:focus-visible,summary:focus-visible,button:focus-visible,input:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
table{width:100%;border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
th,td{padding:.28rem .4rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}
th:first-child{text-align:left;padding-left:0}
td:last-child{padding-right:0}
thead th{color:var(--muted);font-weight:600}
tbody th{font-weight:500}
tbody tr:last-child>*{border-bottom:0}
#domain th:first-child{white-space:normal}
.off{color:var(--vermillion);font-weight:600}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:0 0 .6rem;padding:0;list-style:none;font-size:.85rem}
.legend svg{display:inline-block;width:24px;margin-right:.35rem;vertical-align:middle}
.events{display:grid;gap:.75rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,14.5rem),1fr))}
.event{margin:0;padding:.5rem .6rem;border:1px solid var(--grid);border-radius:6px;background:var(--page);min-width:0}
.event.outside{border-color:var(--vermillion);border-style:dashed}
figcaption{margin-bottom:.25rem}
.electron{fill:var(--blue);stroke:var(--blue);fill-opacity:.55}
.muon{fill:var(--vermillion);stroke:var(--vermillion);fill-opacity:.55}
.constituent{fill:var(--blue);stroke:var(--blue);fill-opacity:.45}
.jet{fill:var(--green);stroke:var(--green);fill-opacity:.45}
.met line{stroke:var(--slate);stroke-width:1.75;stroke-dasharray:6 3}
.met path{fill:var(--slate)}
details{font-size:.85rem}
summary{cursor:pointer;color:var(--blue)}
details ul{margin:.3rem 0 0;padding-left:1.1rem;overflow-wrap:anywhere}
.crossed{color:var(--vermillion)}
${verdictStyle}
`;
