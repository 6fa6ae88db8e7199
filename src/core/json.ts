/** JSON from outside: of the wanted form, or refused in one line that says where it is not. */
import { UserError } from "./errors";

/** As much of a schema's findings as a message needs; zod's schemas are such. */
export interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** Names that the schema does not know. */
  readonly keys?: readonly string[];
}

/**
 * The value of a JSON text.
 * @param what names the text: a file, or a part of one
 * @param remedy what the user can do, for the end of the message
 * @throws UserError when it is no JSON, or not of this form
 */
export function parseJson<T>(text: string, schema: Schema<T>, what: string, remedy: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`${what}: not valid JSON; ${remedy}`);
  }
  return checked(value, schema, what, remedy);
}

/** The same of a value that was parsed before. */
export function checked<T>(value: unknown, schema: Schema<T>, what: string, remedy: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UserError(`${what}: ${complaint(parsed.error.issues[0]!, value)}; ${remedy}`);
}

/** Place, what stands there, and what was expected: `train.0 is 7: expected string, received number`. */
function complaint({ path, message, keys }: Issue, value: unknown): string {
  const place = path.map(String).join(".");
  if (keys) {
    const inside = place === "" ? "" : ` in ${place}`;
    return `holds ${keys.join(", ")}${inside}, which this version of voxgrad does not know`;
  }
  const found = path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown>)?.[key],
    value,
  );
  const name = place === "" ? "it" : place;
  if (found === undefined) return `${name} is missing`;
  const reason = message.replace(/^[A-Z][^:"]*: /, ""); // "Too small: expected …"
  return `${name} is ${shortened(JSON.stringify(found))}: ${reason}`;
}

const MOST = 60;
const shortened = (text: string) => (text.length > MOST ? `${text.slice(0, MOST)}…` : text);
