"""RGB pictures -> the 256 colours that suit each best, for GIF."""

from fractions import Fraction

import av
from av.filter import Graph


class Palette:
  """FFmpeg's `palettegen` and `paletteuse`, picture by picture.

  Args:
    height: of the pictures.
    width: likewise.
    fps: their rate in Hz.
  """

  def __init__(self, height: int, width: int, fps: Fraction):
    self._graph = graph = Graph()
    self._source = graph.add_buffer(
      width=width, height=height, format='rgb24', time_base=1 / fps
    )
    split = graph.add('split')
    choose = graph.add('palettegen', 'stats_mode=single')
    use = graph.add('paletteuse', 'new=1:dither=bayer:bayer_scale=3')
    self._sink = graph.add('buffersink')
    self._source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(choose, 1, 0)
    choose.link_to(use, 0, 1)
    use.link_to(self._sink)
    graph.configure()

  def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
    """One rgb24 picture as pal8, with the same time."""
    self._source.push(frame)
    return self._sink.pull()
