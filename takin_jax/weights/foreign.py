"""Files that come in the place of weights when a download went wrong."""

import os

_POINTER = b'version https://git-lfs'
_PAGES = (b'<!doctype html', b'<html')


def what_it_is(path: str | os.PathLike[str]) -> str:
  """What lies there instead of weights, in half a sentence; '' if unknown."""
  with open(path, 'rb') as file:
    head = file.read(512)
  if not head:
    return 'an empty file: download it again'
  if head.startswith(_POINTER):
    return 'a Git LFS pointer, not the file itself: run git lfs pull'
  if head.lstrip(b'\xef\xbb\xbf \t\r\n').lower().startswith(_PAGES):
    return 'a web page, not the file itself: download it again'
  return ''
