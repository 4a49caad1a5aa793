"""NumPyro's log density of a marginal model, worked out as one program."""

from numpyro.infer.util import log_density

from mixpyro import inference
from mixpyro.em.machine.by_numpy.interpret import interpreted


def density(model, args, params):
    """That of data and parameters, z summed out; operation by operation each would be compiled."""
    whole = interpreted(lambda p: log_density(inference.marginalize(model), args, {}, p)[0])
    return whole(params)
