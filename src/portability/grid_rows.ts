/**
 * Grids in two rows. A kernel that finds its workgroup as `wid.y · nwg.x + wid.x` gets a second row where
 * it has more than 65,535 workgroups, which few cases have; here it gets one at any size.
 */
import type { Dispatch, Graph } from "../core/graph";
import type { Grid } from "../core/kernel";

/** The same workgroups in two rows, one too many where their number is odd. */
function folded([x]: Grid): Grid {
  return [Math.ceil(x / 2), 2, 1];
}

function canFold({ kernel, sizes }: Dispatch): boolean {
  const [x, y, z] = kernel.grid(sizes);
  return x > 1 && y === 1 && z === 1 && kernel.source.includes("num_workgroups");
}

/** The graph with every grid in two rows that can be; undefined where none can. */
export function inTwoRows(graph: Graph): Graph | undefined {
  if (!graph.dispatches.some(canFold)) return undefined;
  for (const [i, d] of graph.dispatches.entries()) {
    if (!canFold(d)) continue;
    const { grid } = d.kernel;
    graph.dispatches[i] = { ...d, kernel: { ...d.kernel, grid: (sizes) => folded(grid(sizes)) } };
  }
  return graph;
}

/** Whether some grid has more than one row by itself. */
export function hasTwoRows({ dispatches }: Graph): boolean {
  return dispatches.some(({ kernel, sizes }) => kernel.grid(sizes)[1] > 1);
}
