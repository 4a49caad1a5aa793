"""What is known of a chain of classes, and which models have one that is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ..latents import Latent, Level

# How the class of the step before is called among what a site depends on.
BEFORE = "(the class of the step before)"


@dataclass(frozen=True)
class Chain:
    """Time, along which the classes of level 0 follow one another.

    The rows of level 0 are its steps: ``length`` times, of ``number`` sequences side by side.
    ``ranks`` {site of the scan: its batch dimensions within a step}. The priors of the classes that
    are ``steady`` are the same at all steps but the first, and in all sequences; ``bound`` says
    that this is so by the values of the model's arguments. ``constant`` names the classes of whole
    sequences, and what is observed before the scan only.
    """

    length: int
    number: int
    ranks: tuple[tuple[str, int], ...]
    steady: frozenset[str] = frozenset()
    bound: bool = False
    constant: frozenset[str] = frozenset()

    @property
    def sites(self) -> frozenset[str]:
        """The sites of the scan."""
        return frozenset(name for name, _ in self.ranks)

    def rank(self, name: str) -> int | None:
        """The batch dimensions that a site has in NumPyro's own trace; None of one outside."""
        found = dict(self.ranks).get(name)
        return None if found is None else found + 1


class ClassesOutside(Exception):
    """Classes ``inside`` a scan, and others outside of it."""

    def __init__(self, inside: Collection[str], outside: Collection[str]) -> None:
        super().__init__()
        self.inside, self.outside = tuple(inside), tuple(outside)


def find_chain(
    scans: Sequence[Mapping[str, int]], chained: set[str], latents: Sequence[Latent]
) -> Mapping[str, int] | None:
    """The sites of the scan that the classes stand in; None if no class stands in one.

    Raises:
        ValueError: classes in several scans, or observed in one.
        ClassesOutside: classes in a scan and out of it.
    """
    inside = [z for z in latents if z.prior in chained]
    if not inside:
        return None
    names = " and ".join(repr(z.name) for z in inside)
    if any(z.labels is not None for z in inside):
        raise ValueError(
            f"the states {names} are observed within a scan; EM reads chains of latent states: "
            "say what is known of them by mixpyro.em.with_labels"
        )
    if len(scans) != 1:
        raise ValueError(
            f"the classes {names} stand in {len(scans)} scans; EM reads one: put the chains into "
            "one step, side by side"
        )
    outside = [z.name for z in latents if z.prior not in chained]
    if outside:
        raise ClassesOutside([z.name for z in inside], outside)
    return scans[0]


def chain_of(ranks: Mapping[str, int], latents: Sequence[Latent], levels: Sequence[Level]) -> Chain:
    """The chain of a scan's classes.

    Raises:
        ValueError: classes of different plates.
    """
    if len({(z.row_dims, z.rows) for z in latents}) > 1:
        names = ", ".join(repr(z.name) for z in latents)
        raise ValueError(
            f"the states {names} of one scan stand in different plates; EM reads chains side by "
            "side in the same plates"
        )
    rows = levels[0].rows
    number = levels[0].num_rows // rows[0]
    return Chain(rows[0], number, tuple(sorted(ranks.items())))


def refuse_others(reached: Mapping[str, frozenset[str]], inner: Collection[str]) -> None:
    """Raise where a site depends on classes otherwise than each step on its own.

    ``reached`` {site: the names that its density depends on}, ``inner`` the sites whose rows are no
    steps though a class reaches them.

    Raises:
        ValueError: a site that depends on the class before, or on classes of several steps.
    """
    for name, found in reached.items():
        if BEFORE in found:
            raise ValueError(
                f"site {name!r} depends on the state of the step before; EM reads observations "
                "that depend on their own step's state (and on observations before): make one "
                "state of the combinations"
            )
        if name in inner:
            raise ValueError(
                f"site {name!r} depends on the states of a chain, and is no row of each step; EM "
                "reads sites of the scan, and sites outside that have a row for each of its steps"
            )
