"""Log densities in mpmath, of numbers or lists of them."""

import mpmath as mp


def normal(x, loc, scale):
    return -(((x - loc) / scale) ** 2) / 2 - mp.log(scale) - mp.log(2 * mp.pi) / 2


def lognormal(x, loc, scale):
    return normal(mp.log(x), loc, scale) - mp.log(x)


def laplace(x, loc, scale):
    return -abs(x - loc) / scale - mp.log(2 * scale)


def student_t(x, df, loc, scale):
    tail = (df + 1) / 2 * mp.log(1 + ((x - loc) / scale) ** 2 / df)
    size = mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2)
    return size - mp.log(df * mp.pi) / 2 - mp.log(scale) - tail


def von_mises(x, loc, concentration):
    log_size = mp.log(2 * mp.pi * mp.besseli(0, concentration))
    return concentration * mp.cos(x - loc) - log_size


def half_normal(x, scale):
    return mp.log(mp.sqrt(2 / mp.pi) / scale) - (x / scale) ** 2 / 2


def exponential(x, rate):
    return mp.log(rate) - rate * x


def gamma(x, concentration, rate):
    power = concentration * mp.log(rate) + (concentration - 1) * mp.log(x)
    return power - rate * x - mp.loggamma(concentration)


def weibull(x, scale, concentration):
    power = (concentration - 1) * mp.log(x / scale)
    return mp.log(concentration / scale) + power - (x / scale) ** concentration


def beta(x, concentration1, concentration0):
    return dirichlet([x, 1 - x], [concentration1, concentration0])


def dirichlet(x, concentration):
    size = mp.loggamma(sum(concentration)) - sum(mp.loggamma(a) for a in concentration)
    return size + sum((a - 1) * mp.log(v) for v, a in zip(x, concentration, strict=True))


def poisson(x, rate):
    return x * mp.log(rate) - rate - mp.loggamma(x + 1)


def zero_inflated_poisson(x, gate, rate):
    if x == 0:
        return mp.log(gate + (1 - gate) * mp.exp(-rate))
    return mp.log(1 - gate) + poisson(x, rate)


def hurdle_poisson(x, gate, rate):
    if x == 0:
        return mp.log(gate)
    return mp.log(1 - gate) + poisson(x, rate) - mp.log(-mp.expm1(-rate))


def negative_binomial(x, mean, concentration):
    total = mean + concentration
    size = mp.loggamma(x + concentration) - mp.loggamma(concentration) - mp.loggamma(x + 1)
    return size + concentration * mp.log(concentration / total) + x * mp.log(mean / total)


def geometric(x, probs):
    return x * mp.log(1 - probs) + mp.log(probs)


def binomial(x, probs, total=10**6):
    choose = mp.loggamma(total + 1) - mp.loggamma(x + 1) - mp.loggamma(total - x + 1)
    return x * mp.log(probs) + (total - x) * mp.log(1 - probs) + choose


def multinomial(x, probs):
    size = mp.loggamma(sum(x) + 1) - sum(mp.loggamma(v + 1) for v in x)
    return size + sum(v * mp.log(p) for v, p in zip(x, probs, strict=True))


def dirichlet_multinomial(x, concentration):
    n, total = sum(x), sum(concentration)
    size = mp.loggamma(total) + mp.loggamma(n + 1) - mp.loggamma(n + total)
    return size + sum(
        mp.loggamma(v + a) - mp.loggamma(a) - mp.loggamma(v + 1)
        for v, a in zip(x, concentration, strict=True)
    )
