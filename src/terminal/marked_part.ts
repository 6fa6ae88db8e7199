/** Parts of a page that a command writes, between two marks. */
import { UserError } from "../core/errors";

/**
 * `text` with what lies between the marks replaced, with an empty line before and after it.
 * @param file is only named in messages
 * @throws UserError when the marks are not there
 */
export function replaceBetween(
  text: string,
  [begin, end]: readonly [string, string],
  content: string,
  file: string,
): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new UserError(`${file}: holds no ${begin} … ${end}; add both`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}
