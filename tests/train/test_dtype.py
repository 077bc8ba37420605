"""`model.dtype` decides what the networks compute in, and nothing else."""

import runpy

import jax
from jax.extend import core
import jax.numpy as jnp
import numpy as np
import pytest

from takin_jax.train.task import task_for
from tests.train.worker import SMOKE


def operations(jaxpr):
  """(dtype, multiplications) of every convolution and matrix product."""
  for eqn in jaxpr.eqns:
    for value in eqn.params.values():
      for inner in value if isinstance(value, tuple | list) else (value,):
        inner = getattr(inner, 'jaxpr', inner)
        if isinstance(inner, core.Jaxpr):
          yield from operations(inner)
    if eqn.primitive.name in ('conv_general_dilated', 'dot_general'):
      a, b = (v.aval for v in eqn.invars[:2])
      yield a.dtype, float(np.sqrt(a.size * b.size * eqn.outvars[0].aval.size))


def traced(stage, dtype):
  config = runpy.run_path(str(SMOKE))['get_config'](stage)
  config.data.records, config.model.dtype = '', dtype
  task = task_for(config)
  spec = task.batch_spec()
  batch = {k: jax.ShapeDtypeStruct(*v) for k, v in spec.items()}
  key = jax.random.key(0)
  params = jax.eval_shape(task.init, key)

  def loss(params, batch):
    out = task.loss(params, batch, key, {})
    return out.loss, out.metrics

  grad = jax.value_and_grad(loss, has_aux=True, allow_int=True)
  jaxpr, shapes = jax.make_jaxpr(grad, return_shape=True)(params, batch)
  return jaxpr.jaxpr, shapes


@pytest.mark.parametrize('stage', ['motion', 'audio'])
def test_bfloat16_reaches_the_networks_and_spares_losses_and_weights(stage):
  jaxpr, ((loss, terms), grads) = traced(stage, 'bfloat16')
  work = {}
  for dtype, size in operations(jaxpr):
    work[dtype.name] = work.get(dtype.name, 0.0) + size
  assert work['bfloat16'] / sum(work.values()) > 0.7, work
  assert loss.dtype == jnp.float32
  assert {x.dtype for x in jax.tree.leaves((terms, grads))} == {
    jnp.dtype('float32')
  }
