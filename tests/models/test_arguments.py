"""Bad arguments are refused before anything is sampled, by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers

from mixpyro import models

VECTOR, MATRIX = np.ones(6), np.ones((6, 2))
OTHERS = {
    "binomial_mixture": {"total_count": 5},
    "capture_recapture": {"num_occasions": 5},
    "cure_model": {"limit": 2.0},
    "factor_analysers": {"num_factors": 1},
    "latent_class": {"num_categories": 3},
    "ordinal_latent_class": {"num_categories": 3},
    "survival_mixture": {"limit": 2.0},
}
# What x each model takes.
TAKES = {
    "beta_mixture": VECTOR / 2,
    "capture_recapture": VECTOR,
    "dirichlet_multinomial_mixture": MATRIX,
    "exponential_mixture": VECTOR,
    "factor_analysers": MATRIX,
    "gamma_mixture": VECTOR,
    "geometric_mixture": VECTOR,
    "hurdle_poisson": VECTOR,
    "lognormal_mixture": VECTOR,
    "negative_binomial_mixture": VECTOR,
    "multinomial_mixture": MATRIX,
    "ordinal_latent_class": MATRIX,
    "student_t_mixture": VECTOR,
    "survival_mixture": VECTOR,
    "von_mises_mixture": VECTOR,
    "weibull_mixture": VECTOR,
    "bernoulli_mixture": MATRIX,
    "binomial_mixture": VECTOR,
    "contaminated_mixture": MATRIX,
    "gaussian_mixture": MATRIX,
    "kmeans_mixture": MATRIX,
    "latent_class": MATRIX,
    "poisson_mixture": VECTOR,
}


def refuse(name, message, *args, **kwargs):
    arguments = ({} if name in FIXED else {"num_components": 2}) | OTHERS.get(name, {}) | kwargs
    with pytest.raises(ValueError, match=message):
        models.CATALOGUE[name](*args, **arguments)


@pytest.mark.parametrize("name", TAKES)
@pytest.mark.parametrize("value", [0, -1, 2.0, None, "2"])
def test_num_components_is_a_count(name, value):
    message = "num_components must be an integer of 1 or more"
    refuse(name, message, TAKES[name], num_components=value)


@pytest.mark.parametrize("name", TAKES)
def test_x_or_num_rows_is_needed(name):
    refuse(name, "both x and num_rows are missing")
    refuse(name, "num_rows must be an integer of 1 or more", num_rows=0)


@pytest.mark.parametrize("name", TAKES)
def test_x_has_the_right_number_of_axes(name):
    refuse(name, r"x must have shape .*, but its shape is \(2, 2, 2\)", np.ones((2, 2, 2)))
    refuse(name, r"x must have shape .*, but its shape is \(\)", np.float32(1.0))


@pytest.mark.parametrize("name", TAKES)
def test_x_is_not_empty(name):
    refuse(name, r"x is empty: its shape is \(0", TAKES[name][:0])


@pytest.mark.parametrize("name", TAKES)
def test_x_is_an_array(name):
    refuse(name, "x must be an array, but it is a list", TAKES[name].tolist())


@pytest.mark.parametrize("name", [n for n, x in TAKES.items() if x.ndim == 2])
def test_a_matrix_is_asked_for_with_a_way_to_give_it(name):
    refuse(name, r"for a single column give x\[:, None\]", VECTOR)
    refuse(name, "num_features is missing", num_rows=5)
    refuse(name, "num_features is 3, but x has 2 columns", MATRIX, num_features=3)


def test_a_column_is_refused_where_a_vector_is_wanted():
    refuse("binomial_mixture", r"give x\[:, 0\]", np.ones((6, 1)))


def test_arguments_of_single_models():
    refuse("gaussian_mixture", "covariance must be one of 'full', 'tied'", MATRIX, covariance="VVW")
    refuse("gaussian_mixture", r"center must be .* shape \(2,\)", MATRIX, center=np.ones(3))
    refuse("contaminated_mixture", r"low must be .* shape \(2,\)", MATRIX, low=np.ones(3))
    refuse("contaminated_mixture", "covariance must be one of", MATRIX, covariance="VVW")
    refuse("kmeans_mixture", r"spread must be .* shape \(2,\)", MATRIX, spread=np.ones(3))
    refuse("kmeans_mixture", "scale must be positive", MATRIX, scale=0.0)
    refuse("kmeans_mixture", "scale must be one number", MATRIX, scale=np.ones(2))
    refuse("latent_class", "num_categories must be an integer", MATRIX, num_categories=0)
    refuse("binomial_mixture", r"total_count must be .* \(6,\)", VECTOR, total_count=np.ones(5))
    refuse("factor_analysers", "num_factors is 2, but x has 2 columns", MATRIX, num_factors=2)
    refuse("ordinal_latent_class", "num_categories must be 2 or more", MATRIX, num_categories=1)
    refuse("mixed_rasch", "x has 2 columns, but classes need 3 items", MATRIX)
    refuse("capture_recapture", "num_occasions must be an integer", VECTOR, num_occasions=0)
    refuse("survival_mixture", r"limit must be .* \(6,\)", VECTOR, limit=np.ones(5))
    for name in ("multinomial_mixture", "dirichlet_multinomial_mixture"):
        refuse(name, "total_count is missing: without x", num_rows=6, num_features=2)
        message = r"total_count must be .* \(6,\)"
        refuse(name, message, num_rows=6, num_features=2, total_count=np.ones(5))


# What y each model with covariates takes, and what else.
REGRESSIONS = {
    "cure_model": (VECTOR, {}),
    "gamma_regression_mixture": (VECTOR, {}),
    "growth_mixture": (VECTOR, {"group": np.zeros(6, int), "num_groups": 1}),
    "hurdle_regression": (VECTOR, {}),
    "latent_class_regression": (MATRIX, {"num_categories": 3}),
    "linear_regression_mixture": (VECTOR, {}),
    "logistic_regression_mixture": (VECTOR, {}),
    "mixture_of_experts": (VECTOR, {}),
    "negative_binomial_regression_mixture": (VECTOR, {}),
    "poisson_regression_mixture": (VECTOR, {}),
    "robust_regression": (VECTOR, {}),
    "zero_inflated_regression": (VECTOR, {}),
}
# These have no number of components to give.
FIXED = (
    "changepoint",
    "cure_model",
    "n_mixture",
    "occupancy",
    "robust_regression",
    "zero_inflated_regression",
)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_covariates_are_a_matrix_with_the_rows_of_y(name):
    y, others = REGRESSIONS[name]
    refuse(name, r"for a single column give covariates\[:, None\]", y, covariates=VECTOR, **others)
    message = "covariates has 5 rows, but y has 6; give one row"
    refuse(name, message, y, covariates=np.ones((5, 2)), **others)
    refuse(name, "covariates is empty", y, covariates=np.ones((6, 0)), **others)
    refuse(name, "y must have shape", np.ones((6, 2, 2)), covariates=MATRIX, **others)
    if name not in FIXED:
        given = {"covariates": MATRIX, "num_components": 0}
        refuse(name, "num_components must be an integer of 1 or more", y, **given, **others)


def test_arguments_of_single_regressions():
    given = {"covariates": MATRIX}
    for name in ("gamma", "linear", "logistic", "negative_binomial", "poisson"):
        message = r"offset must be .* shape \(6,\), one a row"
        refuse(f"{name}_regression_mixture", message, VECTOR, offset=np.ones(5), **given)
    message = r"total_count must be .* \(6,\)"
    refuse("logistic_regression_mixture", message, VECTOR, total_count=np.ones(5), **given)
    message = "class_covariates has 5 rows, but y has 6"
    refuse("mixture_of_experts", message, VECTOR, class_covariates=np.ones((5, 1)), **given)
    refuse("latent_class_regression", "without y, give", num_categories=3, **given)
    message = "gate_covariates has 5 rows, but y has 6"
    refuse("hurdle_regression", message, VECTOR, gate_covariates=MATRIX[:5], **given)
    message = "inflation_covariates has 5 rows, but y has 6"
    refuse("zero_inflated_regression", message, VECTOR, inflation_covariates=MATRIX[:5], **given)
    grouped = {"group": np.zeros(6, int), "num_groups": 0, **given}
    refuse("growth_mixture", "num_groups must be an integer of 1 or more", VECTOR, **grouped)
    grouped = {"group": np.zeros(5, int), "num_groups": 1, **given}
    refuse("growth_mixture", r"group must have shape \(6,\), the group of each", VECTOR, **grouped)


def test_columns_of_profiles_are_named_and_of_a_kind():
    kinds = {"a": "normal", "b": "count"}
    x = {"a": VECTOR, "b": VECTOR}
    refuse("latent_profile", r"kinds\['a'\] must be one of 'normal'", x, kinds={"a": "norml"})
    refuse("latent_profile", "x has no column 'b', which kinds names", {"a": VECTOR}, kinds=kinds)
    refuse(
        "latent_profile", "the columns of x differ in length", x | {"b": VECTOR[:5]}, kinds=kinds
    )
    message = r"num_categories\['b'\] must be an integer of 1 or more"
    refuse("latent_profile", message, x, kinds=kinds | {"b": "categorical"})
    refuse(
        "latent_profile",
        r"num_categories\['b'\] is 1",
        x,
        kinds={"b": "ordinal"},
        num_categories={"b": 1},
    )
    refuse("latent_profile", "both x and num_rows are missing", kinds=kinds)
    refuse("latent_profile", "kinds is empty", x, kinds={})
    refuse("latent_profile", "num_components must be an integer", x, kinds=kinds, num_components=0)


def test_gaps_of_discrete_columns_are_left_out():
    whole = {"a": np.array([0.0, 1.0, 2.0]), "b": np.array([1, 0, 2])}
    gaps = {"a": np.array([0.0, np.nan, 2.0]), "b": np.array([1.0, np.nan, 2.0])}
    given = {"kinds": {"a": "normal", "b": "categorical"}, "num_categories": {"b": 3}}

    def scores(x):
        params = {"weights": np.ones(1), "a_loc": np.zeros(1), "a_scale": np.ones(1)}
        model = handlers.substitute(
            models.latent_profile, params | {"b_probs": np.ones((1, 3)) / 3}
        )
        seeded = handlers.seed(model, 0)
        trace = handlers.trace(seeded).get_trace(x, num_components=1, **given)
        return np.asarray(trace["b"]["fn"].log_prob(trace["b"]["value"]))

    np.testing.assert_allclose(scores(whole), -np.log(3), rtol=1e-5)
    np.testing.assert_allclose(scores(gaps), [-np.log(3), 0, -np.log(3)], rtol=1e-5)


def test_labels_are_of_items_and_by_people():
    labels = np.zeros(6, int)
    given = {"group": labels, "annotator": labels, "num_groups": 1, "num_annotators": 1}
    refuse("dawid_skene", "y has 5 rows, but group has 6", labels[:5], **given)
    refuse("dawid_skene", r"annotator must have shape \(6,\)", **given | {"annotator": labels[:5]})
    message = "num_annotators must be an integer of 1 or more"
    refuse("dawid_skene", message, labels, **given | {"num_annotators": 0})


def test_a_change_needs_two_rows():
    refuse("changepoint", "x has 1 rows, but a change needs at least 2", np.ones(1))
    refuse("changepoint", "both x and num_rows are missing")
    refuse("changepoint", r"x must have shape \(n,\)", VECTOR[:, None])


@pytest.mark.parametrize("name", ["n_mixture", "occupancy"])
def test_visits_are_those_of_the_sites(name):
    others = {"max_count": 9} if name == "n_mixture" else {}
    given = {"covariates": MATRIX, "detection_covariates": np.ones((6, 3, 1)), **others}
    seen = np.zeros((6, 3), int)
    refuse(name, r"y must have shape \(6, 3\), sites by visits", seen[:, :2], **given)
    refuse(name, r"visited must have shape \(6, 3\)", seen, visited=seen[:5] == 0, **given)
    wrong = given | {"detection_covariates": np.ones((6, 3))}
    refuse(name, r"detection_covariates must have shape \(n, t, q\)", seen, **wrong)
    wrong = given | {"covariates": MATRIX[:5]}
    refuse(name, "detection_covariates has 6 rows, but covariates has 5", seen, **wrong)
    if name == "n_mixture":
        wrong = given | {"max_count": 0}
        refuse(name, "max_count must be an integer of 1 or more", seen, **wrong)


@pytest.mark.parametrize("name", TAKES)
def test_errors_come_under_tracing_too(name):
    wrong = jnp.ones((2, 2, 2))
    kwargs = {"num_components": 2} | OTHERS.get(name, {})
    with pytest.raises(ValueError, match="x must have shape"):
        jax.eval_shape(lambda x: models.CATALOGUE[name](x, **kwargs), wrong)
