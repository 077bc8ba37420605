"""Arguments of a subcommand."""

import argparse


def options(module, *given, **more):
  parser = argparse.ArgumentParser()
  module.add_arguments(parser)
  args = parser.parse_args([str(x) for x in given])
  shared = dict(weights='tiny', split='val', clips=None, out=None)
  for key, value in {**shared, **more}.items():
    setattr(args, key, value)
  return args
