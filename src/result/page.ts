/** A page in one file without scripts: it opens from disk, asks for nothing, and prints. */
import { escapeHtml } from "./escape_html";
import { REPORT_CSS } from "./report_css";

export interface PageParts {
  readonly title: string;
  /** HTML: names in it are escaped already. */
  readonly body: string;
  /** Beside {@link REPORT_CSS}. */
  readonly css?: string;
  /** Whether it holds pictures as data. */
  readonly pictures: boolean;
}

export function pageHtml({ title, body, css = "", pictures }: PageParts): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'${pictures ? "; img-src data:" : ""}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<style>${REPORT_CSS}${css}</style>
</head>
<body>
${body}
</body>
</html>
`;
}
