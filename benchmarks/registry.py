"""Block -> how to build both sides of it."""

from benchmarks import cases_render

BUILDERS = {
  'F': cases_render.appearance,
  'M': cases_render.motion,
  'W': cases_render.warping,
  'G': cases_render.generator,
  'frame': cases_render.frame,
}
