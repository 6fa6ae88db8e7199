/** WGSL on which implementations differ or might, each a whole module; nothing of it is run. */
const MAIN = `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
`;

/** A module with declarations, and statements for its entry point. */
const module = (declarations: string, body: string) => `${declarations}\n${MAIN}  ${body}\n}\n`;

export const SNIPPETS: Readonly<Record<string, string>> = {
  "pointer to an array element as argument": module(
    "fn f(p: ptr<function, f32>) { *p += 1.0; }",
    "var x: array<f32, 4>; f(&x[1]); y[id.x] = x[1];",
  ),
  "pointer to a whole array as argument": module(
    "fn f(p: ptr<function, array<f32, 4>>) { (*p)[1] += 1.0; }",
    "var x: array<f32, 4>; f(&x); y[id.x] = x[1];",
  ),
  "pointer to storage as argument": module(
    "fn f(p: ptr<storage, array<f32>, read_write>, i: u32) { (*p)[i] += 1.0; }",
    "f(&y, id.x);",
  ),
  "pointer to workgroup memory as argument": module(
    "var<workgroup> w: array<f32, 64>;\nfn f(p: ptr<workgroup, array<f32, 64>>) { (*p)[0] = 1.0; }",
    "f(&w); y[id.x] = w[lane];",
  ),
  "barrier in non-uniform control flow": module(
    "var<workgroup> w: f32;",
    "if (id.x < 7u) { workgroupBarrier(); } y[id.x] = w;",
  ),
  "barrier after a return that depends on data": module(
    "var<workgroup> w: f32;",
    "if (y[id.x] > 1.0) { return; } workgroupBarrier(); y[id.x] = w;",
  ),
  workgroupUniformLoad: module(
    "var<workgroup> w: u32;",
    "let n = workgroupUniformLoad(&w); if (n > 1u) { workgroupBarrier(); } y[id.x] = f32(n);",
  ),
  "override as size of a workgroup array": module(
    "override N: u32 = 64u;\nvar<workgroup> w: array<f32, N>;",
    "w[lane] = 1.0; y[id.x] = w[lane];",
  ),
  "override as size of a private array": module(
    "override N: u32 = 64u;\nvar<private> w: array<f32, N>;",
    "w[0] = 1.0; y[id.x] = w[0];",
  ),
  "uniform array of scalars": module(
    "@group(0) @binding(1) var<uniform> u: array<f32, 8>;",
    "y[id.x] = u[1];",
  ),
  "assignment to a swizzle": module("", "var v = vec4f(); v.xy = vec2f(1.0); y[id.x] = v.x;"),
  "bitcast of a constant to NaN": module("", "y[id.x] = bitcast<f32>(0x7fc00000u);"),
  "bitcast of a variable to NaN": module("", "y[id.x] = bitcast<f32>(0x7fc00000u | id.x);"),
  "enable subgroups": module("enable subgroups;", "y[id.x] = subgroupAdd(1.0);"),
  "enable f16": module("enable f16;", "y[id.x] = f32(1.0h + f16(id.x));"),
  "requires immediate_address_space": module(
    "requires immediate_address_space;\nvar<immediate> k: u32;",
    "y[id.x] = f32(k);",
  ),
  "requires linear_indexing": module("requires linear_indexing;", "y[id.x] = 1.0;"),
  "requires packed_4x8_integer_dot_product": module(
    "requires packed_4x8_integer_dot_product;",
    "y[id.x] = f32(dot4U8Packed(id.x, 3u));",
  ),
  "requires pointer_composite_access": module(
    "requires pointer_composite_access;\nstruct S { a: f32 }",
    "var s: S; let p = &s; p.a = 2.0; y[id.x] = p.a;",
  ),
  "requires unrestricted_pointer_parameters": module(
    "requires unrestricted_pointer_parameters;",
    "y[id.x] = 1.0;",
  ),
  "requires uniform_buffer_standard_layout": module(
    "requires uniform_buffer_standard_layout;",
    "y[id.x] = 1.0;",
  ),
};
