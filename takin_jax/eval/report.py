"""Figures -> report.json, report.md and sheet.png in one folder.

A report is a set of tables; a table is rows of figures by name. What could not
be measured is named with the reason, never given as zero.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np

# Name of a figure -> heading, digits. Other names are their own heading.
COLUMNS = {
  'lpips': ('LPIPS-alex ↓', 4),
  'lpips_mouth': ('LPIPS mouth ↓', 4),
  'psnr': ('PSNR ↑', 2),
  'ssim': ('SSIM ↑', 4),
  'l1': ('L1 ↓', 4),
  'csim': ('CSIM ↑', 3),
  'csim_loss': ('worst CSIM loss ↓', 3),
  'fid': ('FID ↓', 1),
  'frechet_vgg': ('Frechet VGG ↓', 1),
  'akd': ('AKD, px ↓', 2),
  'apd': ('APD, deg ↓', 2),
  'sharpness': ('sharpness / source', 3),
  'jitter': ('jitter', 2),
  'jitter_ratio': ('jitter / real ↓', 2),
  'leak_lips': ('leakage, lips ↓', 3),
  'leak_lids': ('leakage, lids ↓', 3),
  'lse_d': ('LSE-D ↓', 3),
  'lse_c': ('LSE-C ↑', 3),
  'lse_offset': ('offset by SyncNet', 1),
  'landmark': ('landmarks ↓', 4),
  'canonical': ('canonical ↓', 4),
  'pose_deg': ('pose, deg ↓', 2),
  'step': ('step', 0),
  'lips_r': ('lips r', 3),
  'lips_gain': ('gain', 3),
  'lids_r': ('lids r', 3),
  'lids_gain': ('gain', 3),
  'width_r': ('mouth width r', 3),
  'width_gain': ('gain', 3),
  'smile_r': ('smile r', 3),
  'smile_gain': ('gain', 3),
  'gaze_r': ('gaze r', 3),
  'gaze_gain': ('gain', 3),
  'yaw_r': ('yaw r', 3),
  'yaw_gain': ('gain', 3),
  'r': ('r', 3),
  'gain': ('gain', 3),
  'peak_r': ('best r', 3),
  'lag': ('lag, frames', 1),
  'std': ('std', 3),
  'std_real': ('real std', 3),
  'spread': ('spread / real', 3),
  'background_lips': ('lips / own ↑', 3),
  'background_lids': ('lids / own ↑', 3),
  'background_csim': ('CSIM - own ↑', 3),
  'own_lips': ('own opening', 4),
  'inside_sharpness': ('inside / real ↑', 3),
  'over_copy': ('LPIPS / copy ↓', 3),
  'told': ('told', 0),
  'asked': ('asked', 0),
  'still_moved': ('still pixels that move ↓', 4),
  'blinks': ('blinks', 0),
  'blink_depth': ('closing ↑', 3),
  'blink_depth_real': ('real', 3),
  'blink_ratio': ('closing / real ↑', 3),
  'lashes': ('lashes', 3),
  'lashes_real': ('real', 3),
  'found': ('faces found', 3),
  'lips_peak_r': ('r at the peak', 3),
  'probe_r': ('probe r', 3),
  'probe_peak_r': ('r at the peak', 3),
  'probe_wrong_r': ('r, wrong sound', 3),
  'lips_std': ('lips std', 4),
  'offset_frames': ('peak, frames', 0),
  'head_std_deg': ('head std, deg', 2),
  'blinks_per_min': ('blinks/min', 1),
  'open_speech': ('lips apart: speech', 4),
  'open_silence': ('silence', 4),
}
_HEADER_PX = 18

Value = float | int | str | None
Row = Mapping[str, Value]


@dataclasses.dataclass
class Table:
  """Rows of figures.

  Attributes:
    title: one line.
    rows: figures by name, by row; None or NaN: not measured.
    note: what one needs to know to read it.
  """

  title: str
  rows: dict[str, Row]
  note: str = ''

  @property
  def columns(self) -> list[str]:
    """Names of all figures, in the order of their first appearance."""
    return list(dict.fromkeys(key for row in self.rows.values() for key in row))


@dataclasses.dataclass
class Report:
  """What one run of a subcommand found.

  Attributes:
    command: the subcommand.
    settings: everything that the figures depend on.
    tables: by name.
    sheet: [H, W, 3] uint8 RGB contact sheet.
    not_measured: name of a figure -> why it is missing.
    details: figures that are too many for a table.
    pictures: more contact sheets, by name of their file.
  """

  command: str
  settings: dict[str, Any]
  tables: dict[str, Table]
  sheet: np.ndarray
  not_measured: dict[str, str] = dataclasses.field(default_factory=dict)
  details: dict[str, Any] = dataclasses.field(default_factory=dict)
  pictures: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

  def markdown(self) -> str:
    """The tables as Markdown."""
    parts = [f'# {self.command}: {self.settings.get("weights", "")}']
    for table in self.tables.values():
      parts.append(f'## {table.title}')
      parts.append(markdown_table(table))
      if table.note:
        parts.append(table.note)
    for name, reason in self.not_measured.items():
      parts.append(f'{name}: not measured: {reason}')
    settings = ', '.join(f'{k} {v}' for k, v in self.settings.items())
    return '\n\n'.join([*parts, f'Made with: {settings}']) + '\n'

  def write(self, folder: str | Path) -> None:
    """Writes report.json, report.md and the sheets into an existing folder."""
    folder = Path(folder)
    data = {
      'command': self.command,
      'settings': self.settings,
      'tables': {k: dataclasses.asdict(t) for k, t in self.tables.items()},
      'not_measured': self.not_measured,
      'details': self.details,
    }
    text = json.dumps(plain(data), indent=2, ensure_ascii=False)
    (folder / 'report.json').write_text(text + '\n', encoding='utf-8')
    (folder / 'report.md').write_text(self.markdown(), encoding='utf-8')
    for name, image in {'sheet': self.sheet, **self.pictures}.items():
      cv2.imwrite(str(folder / f'{name}.png'), image[..., ::-1])


def plain(value: Any) -> Any:
  """Numpy to lists and numbers; what is not finite becomes None."""
  if isinstance(value, Mapping):
    return {str(key): plain(item) for key, item in value.items()}
  if isinstance(value, list | tuple):
    return [plain(item) for item in value]
  if isinstance(value, np.ndarray | np.generic):
    return plain(value.tolist())
  if isinstance(value, float):
    return round(value, 6) if math.isfinite(value) else None
  return value


def sheet(
  rows: Sequence[Sequence[np.ndarray]],
  headings: Sequence[str],
  cell_px: int = 160,
) -> np.ndarray:
  """A contact sheet.

  Args:
    rows: of square uint8 pictures of any size; rows may be of any length.
    headings: of the columns.
    cell_px: side of the pictures on the sheet.

  Returns:
    [H, W, 3] uint8.
  """
  width = cell_px * max(len(headings), *(len(row) for row in rows))
  header = np.full((_HEADER_PX, width, 3), 255, np.uint8)
  for i, text in enumerate(headings):
    place = (i * cell_px + 3, _HEADER_PX - 5)
    cv2.putText(header, text, place, cv2.FONT_HERSHEY_PLAIN, 0.9, (0, 0, 0))
  lines = [header]
  for row in rows:
    line = np.full((cell_px, width, 3), 255, np.uint8)
    for i, image in enumerate(row):
      line[:, i * cell_px : (i + 1) * cell_px] = cv2.resize(
        image, (cell_px, cell_px), interpolation=cv2.INTER_AREA
      )
    lines.append(line)
  return np.concatenate(lines)


def markdown_table(table: Table) -> str:
  """Headings and rows of a table, without its title."""
  columns = table.columns
  heads = ['', *(COLUMNS.get(name, (name, 3))[0] for name in columns)]
  lines = [heads, ['---'] * len(heads)]
  for label, row in table.rows.items():
    lines.append([label, *(_cell(name, row.get(name)) for name in columns)])
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _cell(name: str, value: Value) -> str:
  if value is None or (isinstance(value, float) and not math.isfinite(value)):
    return '–'
  if isinstance(value, str):
    return value
  return f'{value:.{COLUMNS.get(name, (name, 3))[1]}f}'
