/**
 * Which target paths a delegated role may speak for. TUF 4.5: `*` stands for any characters but a
 * slash, `?` for one; everything else is itself. The models ask a glob library here, whose braces
 * and brackets mean more than the specification says and can be made to take for ever.
 *
 * @module
 */

/**
 * Whether a target path fits a pattern.
 *
 * @param pattern A PATHPATTERN of TUF 4.5.
 * @param path The target path.
 * @returns Whether it fits as a whole, upper and lower case told apart.
 */
export function fitsPattern(pattern: string, path: string): boolean {
  const [patterns, parts] = [pattern.split("/"), path.split("/")];
  return patterns.length === parts.length &&
    patterns.every((one, at) => fitsPart([...one], [...parts[at]!]));
}

/** One part between slashes. A star that fits too little is widened; earlier ones stay: linear. */
function fitsPart(pattern: readonly string[], text: readonly string[]): boolean {
  let [p, t, star, mark] = [0, 0, -1, 0];
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === "*") {
      star = p++;
      mark = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
