/** A reference whose whole results and bounds follow from its single elements. */
import { elements } from "../core/tensor";
import { type Cursors, type Element, type ElementOf, written } from "./element";
import type { Reference, Shapes, Values } from "./reference";

function cursorsOf(inputs: Values, dys: Values = {}): Cursors {
  const all = [
    ...Object.entries(inputs),
    ...Object.entries(dys).map(([name, dy]) => [`d${name}`, dy] as const),
  ];
  return Object.fromEntries(all.map(([name, array]) => [name, written((i) => array[i]!)]));
}

/**
 * Whole outputs, gradients and bounds from single elements.
 * @param outputs shapes of the outputs, from those of the inputs
 */
export function fromElements<A>(
  outputs: (shapes: Shapes) => Shapes,
  element: ElementOf<A>,
): Pick<Reference<A>, "forward" | "backward" | "bound"> {
  const all = (name: string, cursors: Cursors, shapes: Shapes, attrs: A, part: keyof Element) => {
    const shape = outputs(shapes)[name] ?? shapes[name.slice(1)]!;
    const found = new Float64Array(elements(shape));
    for (let i = 0; i < found.length; i++) {
      found[i] = element(name, i, cursors, shapes, attrs)[part];
    }
    return found;
  };
  return {
    forward(inputs, shapes, attrs) {
      const cursors = cursorsOf(inputs);
      const names = Object.keys(outputs(shapes));
      return Object.fromEntries(
        names.map((name) => [name, all(name, cursors, shapes, attrs, "value")]),
      );
    },
    backward(inputs, shapes, attrs, dys) {
      const cursors = cursorsOf(inputs, dys);
      const gradient = (name: string) => all(`d${name}`, cursors, shapes, attrs, "value");
      return Object.fromEntries(Object.keys(shapes).map((name) => [name, gradient(name)]));
    },
    bound: (name, inputs, shapes, attrs, dys) =>
      all(name, cursorsOf(inputs, dys), shapes, attrs, "bound"),
  };
}
