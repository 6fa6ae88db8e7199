/**
 * ITK and elastix as oracles of registration: see README.md here. Their packages are no dependency of
 * the project; they lie in a folder of their own.
 *
 *   npm install --prefix FOLDER @itk-wasm/elastix@1.0.1 @itk-wasm/image-io@1.6.1 @itk-wasm/transform-io@0.1.1
 *   node elastix.mjs FOLDER                       resamples itk/phantom.nii.gz by itk/motion.txt
 *   node elastix.mjs FOLDER VISIT1 VISIT2 OUT.txt registers two scans by elastix
 */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, visit1, visit2, out] = process.argv.slice(2);
const load = (name) =>
  import(pathToFileURL(resolve(folder, `node_modules/@itk-wasm/${name}/dist/index-node.js`)));
const { transformixNode, elastixNode, defaultParameterMapNode } = await load("elastix");
const { readImageNode, writeImageNode } = await load("image-io");
const { readTransformNode, writeTransformNode } = await load("transform-io");

async function readImage(path) {
  const image = await readImageNode(resolve(path));
  const imageType = { ...image.imageType, componentType: "float32" };
  return { ...image, imageType, data: Float32Array.from(image.data) };
}

const texts = (values) => Array.from(values, String);

/** An affine transform and a grid as elastix stores them; it writes the directions by columns. */
function parameters({ parameters: numbers, fixedParameters }, grid, interpolation) {
  const columns = Array.from({ length: 9 }, (_, i) => grid.direction[3 * (i % 3) + Math.floor(i / 3)]);
  return {
    Transform: ["AffineTransform"],
    NumberOfParameters: ["12"],
    TransformParameters: texts(numbers),
    CenterOfRotationPoint: texts(fixedParameters),
    InitialTransformParameterFileName: ["NoInitialTransform"],
    HowToCombineTransforms: ["Compose"],
    FixedImageDimension: ["3"],
    MovingImageDimension: ["3"],
    FixedInternalImagePixelType: ["float"],
    MovingInternalImagePixelType: ["float"],
    Size: texts(grid.size),
    Index: ["0", "0", "0"],
    Spacing: texts(grid.spacing),
    Origin: texts(grid.origin),
    Direction: texts(columns),
    UseDirectionCosines: ["true"],
    ...interpolation,
    Resampler: ["DefaultResampler"],
    DefaultPixelValue: ["0"],
    ResultImageFormat: ["nii"],
    ResultImagePixelType: ["float"],
    CompressResultImage: ["false"],
  };
}

async function resample() {
  const at = (name) => join(import.meta.dirname, "itk", name);
  const [transform] = await readTransformNode(at("motion.txt"));
  const [phantom, grid] = [await readImage(at("phantom.nii.gz")), await readImage(at("grid.nii.gz"))];
  const interpolations = {
    linear: { ResampleInterpolator: ["FinalLinearInterpolator"] },
    bspline: {
      ResampleInterpolator: ["FinalBSplineInterpolator"],
      FinalBSplineInterpolationOrder: ["3"],
    },
  };
  for (const [name, interpolation] of Object.entries(interpolations)) {
    const { result } = await transformixNode(phantom, [parameters(transform, grid, interpolation)]);
    await writeImageNode(result, at(`${name}.nii.gz`));
  }
}

/** elastix's rigid registration from the centres of gravity, with more samples and steps than by default. */
async function register() {
  const [fixed, moving] = [await readImage(visit1), await readImage(visit2)];
  const { parameterMap } = await defaultParameterMapNode("rigid", { numberOfResolutions: 4 });
  const more = {
    AutomaticTransformInitialization: ["true"],
    AutomaticTransformInitializationMethod: ["CenterOfGravity"],
    MaximumNumberOfIterations: ["500"],
    NumberOfSpatialSamples: ["20000"],
  };
  const { transform } = await elastixNode([{ ...parameterMap, ...more }], { fixed, moving });
  const euler = transform.filter(
    ({ transformType }) => transformType.transformParameterization === "Euler3D",
  );
  await writeTransformNode(euler, resolve(out));
}

await (visit1 ? register() : resample());
