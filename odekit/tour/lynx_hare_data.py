"""Pelts of Canadian lynx and snowshoe hare taken in by the Hudson's Bay Company, 1900 to 1920, in thousands.

The company's records, published in C. Elton and M. Nicholson, The ten-year cycle in numbers of the lynx in Canada, J. Animal
Ecology 11 (1942) 215; E. P. Odum, Fundamentals of Ecology (1953); the numbers as in P. Howard, Modeling basics (Texas A&M
University, 2009), https://www.math.tamu.edu/~phoward/m442/modbasics.pdf.
"""

import numpy as np

YEARS = np.arange(1900, 1921)

LYNX = np.array([
    4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4,
    8.0, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6,
])  # fmt: skip

HARE = np.array([
    30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1,
    40.3, 57.0, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6, 16.2, 24.7,
])  # fmt: skip
