/** The look of the report: light for paper, dark pictures, two pages of A4. */
export const REPORT_CSS = `
@page { size: A4; margin: 12mm 14mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 10mm 8mm; max-width: 196mm; background: #fff; color: #1a1d21;
  font: 10pt/1.4 Inter, system-ui, "Segoe UI", Roboto, sans-serif; overflow-wrap: anywhere; }
header { border-bottom: 2px solid #1a1d21; padding-bottom: 3mm; }
h1 { margin: 0; font-size: 15pt; } h2 { font-size: 11pt; margin: 5mm 0 1.5mm; }
.who { color: #4a5059; margin: 1mm 0 0; }
.answer { font-size: 14pt; font-weight: 600; margin: 4mm 0 2mm; }
.answer.doubt { border-left: 1.2mm solid #b3261e; padding-left: 3mm; color: #8c1d18; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: 0.8mm 3mm 0.8mm 0; }
th { font-weight: 600; border-bottom: 1px solid #9aa3af; vertical-align: bottom; }
.n { text-align: right; white-space: nowrap; width: 1px; padding-right: 6mm; }
.lesion { break-inside: avoid; margin: 0 0 2.5mm; } .lesion p { margin: 0 0 0.6mm; }
.lesion img { display: block; width: 100%; height: auto; border-radius: 1mm; }
ul { margin: 0; padding-left: 4.5mm; } .facts td:first-child { color: #4a5059; width: 38mm; vertical-align: top; }
.mono { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 8.5pt; }
footer { margin-top: 5mm; padding-top: 2mm; border-top: 1px solid #9aa3af; color: #4a5059; font-size: 9pt; }
@media print { body { padding: 0; font-size: 9.5pt; } .lesion img { width: 88%; } th, td { padding-top: 0.5mm; padding-bottom: 0.5mm; } }
@media (max-width: 600px) { body { padding: 4mm; } }
`;
