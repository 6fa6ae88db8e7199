/** Fields of one deb822 stanza of an apt source, by lower-case name. */
export type AptSource = ReadonlyMap<string, string>;

/** Options of the one-line format whose deb822 field has another name. */
const ONE_LINE_FIELDS: Readonly<Record<string, string>> = {
  arch: "architectures",
  lang: "languages",
  target: "targets",
};

/** Reads an apt source file: deb822 for `*.sources`, else the one-line format. */
export function parseAptSources(name: string, text: string): AptSource[] {
  return name.endsWith(".sources") ? parseDeb822(text) : text.split("\n").flatMap(parseLine);
}

function parseDeb822(text: string): AptSource[] {
  const stanzas = text.replace(/^#.*\n?/gm, "").split(/\n\s*\n/);
  return stanzas.map((stanza) => {
    const fields = stanza.matchAll(/^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)/gm);
    return new Map(
      [...fields].map(([, key = "", value = ""]) => [key.toLowerCase(), value.trim()]),
    );
  });
}

function parseLine(line: string): AptSource[] {
  const match = /^\s*deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
  if (!match) return [];
  const [, options = "", uri = "", suite = "", components = ""] = match;
  const source = new Map([
    ["types", "deb"],
    ["uris", uri],
    ["suites", suite],
    ["components", components.trim()],
  ]);
  for (const option of options.split(/\s+/).filter(Boolean)) {
    const [key = "", value = ""] = option.split("=", 2);
    source.set(ONE_LINE_FIELDS[key] ?? key, value.replaceAll(",", " "));
  }
  return [source];
}

/** Fields by which a source may go without a signature: not where a driver comes from. */
const UNSIGNED = ["trusted", "allow-insecure", "allow-weak", "allow-downgrade-to-insecure"];

/**
 * The distribution's own archive, and its backports, out of a machine's apt sources, as the text of
 * a `.sources` file. Sources of others and of other releases are left out: they cost time and may
 * want credentials. Fields that do without a signature are dropped. Returns "" when there is none.
 */
export function archiveSources(sources: readonly AptSource[], codename: string): string {
  const aliases = [codename, "stable", "oldstable", "oldoldstable", "testing"];
  const own = (suite: string) => aliases.some((each) => suite.split(/[-/]/)[0] === each);
  const stanzas: string[] = [];
  for (const source of sources) {
    const words = (field: string) => (source.get(field) ?? "").split(/\s+/).filter(Boolean);
    const suites = words("suites").filter(own);
    const isOff = /^(no|false|off|0|without|disable)$/i.test(source.get("enabled") ?? "");
    const usable = words("types").includes("deb") && words("components").includes("main");
    if (!usable || isOff || suites.length === 0) continue;
    const fields = new Map([...source].filter(([field]) => !UNSIGNED.includes(field)));
    fields.set("types", "deb").set("targets", "Packages").set("suites", suites.join(" "));
    stanzas.push(stanza(fields));
    const backports = `${codename}-backports`;
    if (suites.some((suite) => aliases.includes(suite)) && !suites.includes(backports)) {
      stanzas.push(stanza(fields.set("suites", backports)));
    }
  }
  return stanzas.join("\n");
}

function stanza(fields: AptSource): string {
  return [...fields]
    .map(([key, value]) => `${key}: ${value.replace(/\n(?=\S)/g, "\n ")}\n`)
    .join("");
}
