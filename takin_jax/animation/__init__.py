"""Someone's motion becomes this portrait's: pure functions that train, infer
and eval share.
"""
