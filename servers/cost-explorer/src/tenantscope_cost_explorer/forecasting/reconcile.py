"""Forecasts of parts and of their whole made to agree."""

from tenantscope_cost_explorer.forecasting.season import Floats


def reconciled(parts: Floats, whole: Floats, variances: Floats, whole_variance: float) -> Floats:
    """Parts (rows x steps) that sum to one whole, of which `whole` (steps) is a forecast of its own.

    Each is moved in proportion to the variance of its errors: minimum trace with a diagonal covariance (Wickramasuriya,
    Athanasopoulos and Hyndman 2019), which has this closed form where parts have one whole. What is sure stays.
    """
    summed = parts.sum(axis=0)
    of_parts = float(variances.sum())
    if of_parts <= 0:
        return parts
    moved = (whole - summed) * (of_parts / (of_parts + whole_variance))
    return parts + (variances / of_parts)[:, None] * moved
