/** The page's style sheet. Colours are the custom properties of `palette.ts`. */
export const style = `
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem clamp(1rem,4vw,3rem) 4rem;max-width:76rem;background:var(--page);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:0 0 .75rem}
h3{font-size:1rem;margin:1.25rem 0 .4rem;overflow-wrap:anywhere}
p,figcaption,li{max-width:46rem}
a{color:var(--blue)}
header p{max-width:none;color:var(--muted);margin:0 0 1rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:0;padding:0;list-style:none}
section{margin-top:2.75rem;padding-top:1.25rem;border-top:1px solid var(--grid);scroll-margin-top:1rem}
sub,sup{line-height:0}
.nowrap{white-space:nowrap}
.verdicts{padding-left:1.1rem}
.verdicts li{margin:.3rem 0;max-width:60rem}
.scroll{width:fit-content;max-width:100%;overflow-x:auto;border:1px solid var(--grid);border-radius:6px;background:var(--panel)}
.scroll:focus-visible,a:focus-visible,summary:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .9rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--grid)}
thead th{color:var(--muted);font-weight:600;white-space:nowrap}
th:first-child{text-align:left;position:sticky;left:0;background:var(--panel)}
tbody th{font-weight:500}
tbody tr:last-child>*{border-bottom:0}
td{white-space:nowrap}
td small{display:block;color:var(--muted);font-size:.78em}
th small,h3 small{color:var(--muted);font-weight:400}
strong{font-weight:700}
#settings td,#provenance td{text-align:left;white-space:normal;overflow-wrap:anywhere}
details{margin-top:1rem}
summary{cursor:pointer;color:var(--blue)}
details>.scroll{margin-top:.75rem}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:.75rem 0;padding:0;list-style:none;font-size:.9rem}
.legend svg{margin-right:.45rem;vertical-align:middle;fill:none}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1rem}
.charts.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,18.5rem),1fr))}
figure{margin:0;padding:.75rem;border:1px solid var(--grid);border-radius:6px;background:var(--panel);min-width:0;max-width:38rem}
figure h3{margin:0 0 .25rem;font-size:.95rem}
figure svg{display:block;width:100%;height:auto;font-family:inherit}
figcaption{color:var(--muted);font-size:.85rem;overflow-wrap:anywhere}
@media print{nav{display:none}figure,tr{break-inside:avoid}}
`;
