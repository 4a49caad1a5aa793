"""Iris by 14 structures, 1 to 9 components, beside mclust: "Structures" in docs/evidence.md.

python benchmarks/evidence/structures.py

One `em.sweep` by defaults, then `EM.run` for those that it left below mclust, which are among those
that a sweep screens only.
"""

import io
import time

import jax
import pandas as pd
from sklearn.datasets import load_iris

from mixpyro import em, models

# BIC by mclust 5, Mclust(iris[, -5], G = 1:9), as printed in the notes of the R package norMmix
# (N. Trutmann and M. Maechler, 2019); mclust's sign turned. NaN: mclust has no estimate.
MCLUST = """
components EII VII EEI VEI EVI VVI EEE VEE EVV VVV
1 1804.0854 1804.0854 1522.1202 1522.1202 1522.1202 1522.1202 829.9782 829.9782 829.9782 829.9782
2 1123.4117 1012.2352 1042.9679 956.2823 1007.3082 857.5515 688.0972 656.3270 658.3306 574.0178
3 878.7650 853.8144 813.0504 779.1566 797.8342 744.6382 632.9647 605.3982 656.0359 580.8396
4 893.6140 812.6048 827.4036 748.4529 837.5452 751.0198 646.0258 604.8371 725.2925 630.6000
5 782.6441 742.6083 741.9185 688.3463 766.8158 711.4502 604.8131 nan nan 676.6061
6 715.7136 705.7811 693.7908 676.1697 774.0673 707.2901 609.8543 609.5584 nan 754.7938
7 731.8821 698.5413 713.1823 680.7377 813.5220 766.6500 632.4947 nan 809.8276 806.9277
8 725.0805 701.4806 691.4133 679.4640 740.4068 764.1969 639.2640 654.8237 831.7520 830.6373
9 694.5205 700.0276 696.2607 702.0143 767.8044 755.8290 653.0878 nan 882.4391 883.6931
"""
OTHERS = ["EVE", "VVE", "EEV", "VEV"]
EPSILON = 1e-3  # of a BIC that is printed with four digits


def main():
    jax.config.update("jax_enable_x64", True)
    x = load_iris().data
    theirs = pd.read_csv(io.StringIO(MCLUST), sep=" ", index_col="components")
    structures = [*theirs, *OTHERS]
    began = time.perf_counter()
    found = em.sweep(
        models.gaussian_mixture, 0, x, covariance=structures, num_components=range(1, 10)
    )
    table = found.table
    print(f"{len(found.fits)} fits and their table: {time.perf_counter() - began:.0f} s")
    print(table.status.value_counts().to_string(), "\n")
    ours = table.pivot(index="num_components", columns="covariance", values="bic")[structures]
    print(ours.round(3).to_string(), "\n")

    gain = ((theirs - ours[[*theirs]]) / 2).stack().dropna()
    same, lower = gain[gain.abs() < EPSILON], gain[gain <= -EPSILON]
    print(f"mclust has {len(gain)}: {len(same)} the same, {len(lower)} lower than mclust's")
    print(f"higher, natural-log units: {gain[gain >= EPSILON].describe().round(3).to_dict()}")
    for k, name in lower.index:
        for key in range(3):
            fit = em.EM(models.gaussian_mixture).run(key, x, num_components=k, covariance=name)
            gained = (theirs.loc[k, name] - fit.bic) / 2
            print(f"{name}, {k}, key {key}: {gained:+.3f} by EM.run, {fit.status.name}")


if __name__ == "__main__":
    main()
