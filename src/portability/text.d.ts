/** Files that are imported as their text. */
declare module "*.mjs" {
  const text: string;
  export default text;
}
