from tests.parity.divergences.seeding import Divergences

MARKET = Divergences()
