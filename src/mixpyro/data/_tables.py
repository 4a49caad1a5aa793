"""Small published tables, each as a pandas frame. docs/data.md has their sources and units."""

from __future__ import annotations

import io
from importlib import resources
from typing import Any


def load_air_conditioning() -> Any:
    """Load hours between failures of the air conditioning of one aircraft: hours.

    Source: Proschan (1963), Technometrics 5:375.
    """
    return _frame("air_conditioning")


def load_anaesthetists() -> Any:
    """Load how five anaesthetists graded 45 patients: columns patient, observer, grade.

    Grades 1 (fit for an anaesthetic) to 4; the first observer graded every patient three times.

    Source: Dawid and Skene (1979), Applied Statistics 28:20, table 1.
    """
    return _frame("anaesthetists")


def load_ball_bearings() -> Any:
    """Load how many million revolutions 23 ball bearings ran until they failed: revolutions.

    Source: Lieblein and Zelen (1956), Journal of Research of the National Bureau of Standards
    57:273.
    """
    return _frame("ball_bearings")


def load_beetles() -> Any:
    """Load how many beetles died by the dose of CS2 (log10 of mg/l): log_dose, beetles, killed.

    Source: Bliss (1935), Annals of Applied Biology 22:134.
    """
    return _frame("beetles")


def load_carcinoma() -> Any:
    """Load how seven pathologists, a to g, judged 118 slides (1 is carcinoma): patterns, slides.

    Source: Landis and Koch (1977), Biometrics 33:363; Agresti (2002), Categorical Data Analysis,
    table 13.1.
    """
    return _frame("carcinoma")


def load_cholera() -> Any:
    """Load how many cholera cases 223 households of an Indian village had: cases, households.

    Source: McKendrick (1926), Proceedings of the Edinburgh Mathematical Society 44:98.
    """
    return _frame("cholera")


def load_coal_disasters() -> Any:
    """Load coal mining disasters with ten deaths or more in Britain, 1851 to 1961: by year.

    Source: Jarrett (1979), Biometrika 66:191.
    """
    return _frame("coal_disasters")


def load_crabs() -> Any:
    """Load ratios of forehead to body length of 1000 shore crabs: class midpoints, crabs.

    Source: Pearson (1894), Philosophical Transactions of the Royal Society A 185:71; Weldon's
    measurements.
    """
    return _frame("crabs")


def load_death_notices() -> Any:
    """Load on how many days of 1910-12 The Times had so many deaths of women of 80 and more.

    Source: Hasselblad (1969), JASA 64:1459.
    """
    return _frame("death_notices")


def load_dental_growth() -> Any:
    """Load a length of the jaw (mm) of 27 children at four ages: child, sex, age, millimetres.

    Source: Potthoff and Roy (1964), Biometrika 51:313.
    """
    return _frame("dental_growth")


def load_earthquakes() -> Any:
    """Load how many major earthquakes (magnitude 7 or more) each year had, 1900 to 2006: by year.

    Source: Zucchini and MacDonald (2009), Hidden Markov Models for Time Series, table 1.1.
    """
    return _frame("earthquakes")


def load_emissions() -> Any:
    """Load GNP and estimated CO2 emission a head of 28 countries in 1996: columns gnp, co2.

    Source: Hurn, Justel and Robert (2003), Journal of Computational and Graphical Statistics 12:55.
    """
    return _frame("emissions")


def load_fabric() -> Any:
    """Load lengths (m) and numbers of faults of 32 rolls of fabric.

    Source: Bissell (1972), Biometrika 59:435.
    """
    return _frame("fabric")


def load_fed_funds() -> Any:
    """Load the interest rate of federal funds in the United States: quarter, percent a year.

    Means of quarters, third of 1954 to fourth of 2010.

    Source: Board of Governors of the Federal Reserve System, release H.15; StataCorp, Stata
    Time-Series Reference Manual, mswitch.
    """
    return _frame("fed_funds")


def load_floods() -> Any:
    """Load the largest flow (million cubic feet per second) of a river in 20 spans of four years.

    The Susquehanna at Harrisburg, Pennsylvania, 1890 to 1969.

    Source: Dumonceaux and Antle (1973), Technometrics 15:923.
    """
    return _frame("floods")


def load_hares() -> Any:
    """Load how often 68 snowshoe hares were caught in six trappings: times_caught, hares.

    Source: Burnham and Cushwa's hares, in Cormack (1989), Biometrics 45:395.
    """
    return _frame("hares")


def load_housing() -> Any:
    """Load how satisfied five households of each of 35 neighbourhoods are with their homes.

    Columns place (rural or urban) and the households that are unsatisfied, satisfied,
    very_satisfied; Montevideo, Minnesota.

    Source: Brier (1980), Biometrika 67:591; as printed in the SAS/STAT User's Guide, procedure FMM.
    """
    return _frame("housing")


def load_iris() -> Any:
    """Load four measurements (cm) of 150 flowers of three species of iris, and the species.

    Source: Fisher (1936), Annals of Eugenics 7:179; Anderson's measurements.
    """
    return _frame("iris")


def load_law_school() -> Any:
    """Load a thousand answers to five questions (1 is right): item_1 to item_5, people.

    Source: Bock and Lieberman (1970), Psychometrika 35:179: section 6 of the LSAT.
    """
    return _frame("law_school")


def load_leading_crowd() -> Any:
    """Load how 3,398 schoolboys saw the leading crowd, twice: member, attitude (1 is favourable).

    Columns member_1, attitude_1, member_2, attitude_2 of two interviews, and boys.

    Source: Coleman (1964), Introduction to Mathematical Sociology, page 171; Goodman (1974),
    American Journal of Sociology 79:1179.
    """
    return _frame("leading_crowd")


def load_leukaemia() -> Any:
    """Load survival of 17 AG positive patients with leukaemia: log_white_cells (log10), weeks.

    Source: Feigl and Zelen (1965), Biometrics 21:826.
    """
    return _frame("leukaemia")


def load_light() -> Any:
    """Load 66 measurements of the speed of light by Newcomb, 1882.

    Column deviation: the time that light took for 7,442 metres, in nanoseconds above 24,800.

    Source: Stigler (1977), Annals of Statistics 5:1055.
    """
    return _frame("light")


def load_old_faithful() -> Any:
    """Load 272 eruptions of the Old Faithful geyser: eruption, waiting (both in minutes).

    How long each lasted, and how long the next one was waited for.

    Source: Azzalini and Bowman (1990), A look at some data on the Old Faithful geyser, Applied
    Statistics 39:357; the rows are those of `faithful` in R.
    """
    return _frame("old_faithful").astype(float)


def load_phone_calls() -> Any:
    """Load international calls from Belgium, in millions, 1950 to 1973: year, calls.

    Source: Rousseeuw and Leroy (1987), Robust Regression and Outlier Detection, page 26.
    """
    return _frame("phone_calls")


def load_red_mites() -> Any:
    """Load counts of European red mites on 150 apple leaves: mites, leaves.

    Source: Bliss and Fisher (1953), Biometrics 9:176.
    """
    return _frame("red_mites")


def load_remissions() -> Any:
    """Load remissions of 42 children with leukaemia: treatment, weeks, relapse (0 is censored).

    Source: Freireich et al. (1963), Blood 21:699; Gehan (1965), Biometrika 52:203.
    """
    return _frame("remissions")


def load_role_conflict() -> Any:
    """Load answers of 216 students to four questions: a, b, c, d (1 is universalistic), people.

    Source: Stouffer and Toby (1951), American Journal of Sociology 56:395.
    """
    return _frame("role_conflict")


def load_salamanders() -> Any:
    """Load on which of five visits salamanders were seen at 39 sites: visit_1 to visit_5.

    Source: MacKenzie et al. (2006), Occupancy Estimation and Modeling, page 99.
    """
    return _frame("salamanders")


def load_sex_ratio() -> Any:
    """Load how many of 12 children were boys in 6115 families of Saxony: boys, families.

    Source: Geissler (1889); Lindsey and Altham (1998), Applied Statistics 47:149.
    """
    return _frame("sex_ratio")


def load_transplants() -> Any:
    """Load months to relapse or death after bone marrow transplants: transplant, months, event.

    Allogeneic (of a sibling) or autologous (of oneself), for acute myeloid leukaemia; where event
    is 0 the patient was alive without relapse.

    Source: Klein and Moeschberger (2003), Survival Analysis, 2nd edition, section 1.9.
    """
    return _frame("transplants")


def load_turtles() -> Any:
    """Load the directions, in degrees clockwise from north, of 76 turtles after laying eggs.

    Source: Gould's data in Stephens (1969), Techniques for directional data, report 150, Stanford.
    """
    return _frame("turtles")


def load_wheeze() -> Any:
    """Load whether children of Steubenville wheezed (1) at ages 7 to 10, by their mothers' smoking.

    Columns mother_smokes, age_7, age_8, age_9, age_10, children.

    Source: Ware et al. (1984), American Review of Respiratory Disease 129:366; Zeger, Liang and
    Albert (1988), Biometrics 44:1049.
    """
    return _frame("wheeze")


def _frame(name: str) -> Any:
    """The table of that name as a pandas frame."""
    import pandas as pd

    text = resources.files(__package__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return pd.read_csv(io.StringIO(text), comment="#")
