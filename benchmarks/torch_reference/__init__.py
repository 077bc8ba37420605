"""Our own PyTorch twin of the networks: the other side of the benchmark.

Plain eager PyTorch in its usual idioms, channel-first, no custom kernels. The
renderer has the tensor names of LivePortrait's published files, so those load
into it and `takin_jax.convert` turns its `state_dict()` into our parameters.
The Conformer denoiser and the small renderer have our own names (`weights.py`
maps them). HuBERT is transformers' own. Written from the papers and from
`takin_jax`; nothing is copied.
"""
